"""What happens in a session and when: blocks, the feedback's rule, arms."""
