//! Frozen feature networks under their published weight names: AlexNet, VGG16 and SqueezeNet-1.1.
