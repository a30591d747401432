variable "endpoint" {
  description = "Where Longshore's gateway is."
  type        = string
  default     = "http://127.0.0.1:8700"
}

variable "region" {
  description = "Any region on a stack of `longshore up`; the deployment's own elsewhere."
  type        = string
  default     = "us-east-1"
}

variable "access_key" {
  description = "Id of an access key; null takes the one of the environment or of a profile."
  type        = string
  default     = "local"
}

variable "secret_key" {
  description = "Its secret; null as above."
  type        = string
  default     = "local"
  sensitive   = true
}

variable "name" {
  description = "Name of the cluster, and of the family of its task definition."
  type        = string
  default     = "terraform-tour"
}

variable "container_insights" {
  description = "The cluster's setting containerInsights."
  type        = string
  default     = "enabled"
}

variable "greeting" {
  description = "What the page says. Changing it makes a new revision."
  type        = string
  default     = "It works"
}

variable "team" {
  description = "Tag of cluster and task definition."
  type        = string
  default     = "harbour"
}

variable "capacity_providers" {
  description = "Names of the cluster's capacity providers."
  type        = list(string)
  default     = []
}
