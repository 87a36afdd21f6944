"""What strangers' bytes must never do to our readers, and a fuzzer that tries."""
