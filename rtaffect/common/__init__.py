"""What everything speaks of: errors, settings, time, channels and regions; knows no stream."""
