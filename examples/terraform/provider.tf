# What makes the AWS provider speak to Longshore: where ECS is, and not to look for the rest of AWS.
provider "aws" {
  region = var.region

  # A stack on loopback without access keys verifies no signature. Elsewhere: what `longshore access-key create` printed.
  access_key = var.access_key
  secret_key = var.secret_key

  endpoints {
    ecs = var.endpoint
  }

  skip_credentials_validation = true # there is no STS
  skip_requesting_account_id  = true # nor IAM; ARNs carry the deployment's account
  skip_metadata_api_check     = true # nor a metadata service of EC2
  skip_region_validation      = true # a region may have a name of your own
}
