"""Contract devices-and-connector, part Lambda IoT: sections 1.1, 1.3, 3 and the cases 4.1 to 4.6."""
