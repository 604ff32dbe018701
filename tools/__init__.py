"""What all stages use and none owns."""
