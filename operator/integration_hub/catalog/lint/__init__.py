"""What makes a definition worth publishing: rules for authors, beyond what the operator needs to use it at all."""
