"""What a browser makes of the product."""
