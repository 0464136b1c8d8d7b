"""What retrieval is measured on: one module per family of cases."""
