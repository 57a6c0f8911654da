"""Videos → frames → face crops → batches: the FaceForensics++ layout, the sample, the manifest."""
