"""What all models may use and no model owns."""
