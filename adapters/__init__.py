"""What fills the ports: event store, NATS, MQTT, tokens, embedded servers."""
