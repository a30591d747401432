"""The cluster query language: what memberOf constraints and the filter of ListContainerInstances are written in. Pure."""
