"""Where contexts meet: what happens in one because of something in another."""
