"""What is attacked: the LightningModule, its backbones, their training and the store of trained ones."""
