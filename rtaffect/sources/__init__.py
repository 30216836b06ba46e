"""Where sound and EEG come from: live streams, devices, files and recordings, behind one protocol."""
