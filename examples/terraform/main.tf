# A cluster with its settings, a task definition, and account settings. Services are not there yet.

resource "aws_ecs_cluster" "tour" {
  name = var.name

  setting {
    name  = "containerInsights"
    value = var.container_insights
  }

  tags = {
    team = var.team
  }
}

# Tasks go to instances, which join with their agents. The providers FARGATE and FARGATE_SPOT can be named as on any cluster of ECS, but
# nothing runs on them.
resource "aws_ecs_cluster_capacity_providers" "tour" {
  cluster_name       = aws_ecs_cluster.tour.name
  capacity_providers = var.capacity_providers
}

resource "aws_ecs_task_definition" "web" {
  family                   = var.name
  network_mode             = "bridge"
  requires_compatibilities = ["EC2"]

  container_definitions = jsonencode([
    {
      name      = "web"
      image     = "busybox"
      essential = true
      cpu       = 128
      memory    = 64
      command = [
        "sh", "-c", "mkdir -p /www && cat /notes/today >> /www/index.html; echo \"$GREETING\" >> /www/index.html; exec httpd -f -p 80 -h /www",
      ]
      environment = [
        { name = "GREETING", value = var.greeting },
        { name = "EMPTY", value = "" },
      ]
      portMappings = [
        { containerPort = 80, protocol = "tcp" },
      ]
      mountPoints = [
        { sourceVolume = "notes", containerPath = "/notes", readOnly = false },
      ]
      ulimits = [
        { name = "nofile", softLimit = 1024, hardLimit = 4096 },
      ]
      dockerLabels = {
        "org.example.team" = var.team
      }
      stopTimeout = 2
    },
    {
      name              = "clock"
      image             = "busybox"
      essential         = false
      cpu               = 32
      memoryReservation = 16
      command           = ["sh", "-c", "while true; do date > /notes/today; sleep 10; done"]
      mountPoints = [
        { sourceVolume = "notes", containerPath = "/notes", readOnly = false },
      ]
      stopTimeout = 2
    },
  ])

  volume {
    name = "notes"
  }

  tags = {
    team = var.team
  }
}

resource "aws_ecs_account_setting_default" "insights" {
  name  = "containerInsights"
  value = "enabled"
}

# A tag on something that Terraform did not make: the cluster that `longshore up` makes.
resource "aws_ecs_tag" "default_cluster" {
  resource_arn = replace(aws_ecs_cluster.tour.arn, "cluster/${var.name}", "cluster/default")
  key          = "managed-by"
  value        = "terraform"
}
