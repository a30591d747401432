output "cluster" {
  description = "ARN of the cluster."
  value       = aws_ecs_cluster.tour.arn
}

output "task_definition" {
  description = "Family and revision, to run: `longshore run $(terraform output -raw task_definition)`."
  value       = "${aws_ecs_task_definition.web.family}:${aws_ecs_task_definition.web.revision}"
}
