"""The gateway for devices that speak MQTT: what they publish becomes commands, acknowledged after the commit."""
