"""What a household's pages show: today, its own home and data, prompts and appliances."""
