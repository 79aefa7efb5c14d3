"""Fault injection: plant realistic faults one at a time and see whether verification finds them."""
