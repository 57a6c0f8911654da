"""The embedded sample: a miniature FaceForensics++ of generated people with synthetic forgeries."""
