"""The Docker Engine as a ContainerRuntime. Nothing outside knows aiodocker."""
