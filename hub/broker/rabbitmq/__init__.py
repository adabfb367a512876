"""RabbitMQ as the co-op's broker: homes speak MQTT 5 to it, the hub AMQP."""
