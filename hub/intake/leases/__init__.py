"""Which shards of agents this worker has, where several share the co-op's messages: each shard has one worker."""
