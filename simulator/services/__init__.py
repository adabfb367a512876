"""What a served street offers: its Modbus devices, a weather service, residents, truth and clock."""
