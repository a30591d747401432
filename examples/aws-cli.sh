#!/usr/bin/env bash
# A tour of Longshore with the aws cli, version 1 or 2, as it comes: nothing is installed into it, nothing patched.
#
#   longshore up --detach
#   examples/aws-cli.sh                                        # the stack on this machine
#   examples/aws-cli.sh --endpoint-url http://gateway:8700     # another one
#
# AWS_ENDPOINT_URL_ECS, AWS_REGION and credentials are taken from the environment where they are there. It works in the cluster `default`
# (another: LONGSHORE_CLUSTER), removes what it made when it ends, however it ends, and can be run again.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
if [[ ${1:-} == --endpoint-url ]]; then
  export AWS_ENDPOINT_URL_ECS=${2:?--endpoint-url needs an address}
fi
export AWS_ENDPOINT_URL_ECS=${AWS_ENDPOINT_URL_ECS:-${AWS_ENDPOINT_URL:-http://127.0.0.1:8700}}
export AWS_DEFAULT_REGION=${AWS_REGION:-${AWS_DEFAULT_REGION:-us-east-1}}
if [[ -z ${AWS_ACCESS_KEY_ID:-}${AWS_PROFILE:-} ]]; then # a stack on loopback without access keys verifies none
  export AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local
fi
export AWS_PAGER='' AWS_EC2_METADATA_DISABLED=true # version 2 pages its output; neither should look for a role of EC2

cluster=${LONGSHORE_CLUSTER:-default}
own_cluster=aws-cli-tour-$$
family=aws-cli-tour-$$
tasks=()
definitions=()
setting=''

exec 3>&1 # commands are shown here, so that their answers can be captured

say() { printf '\n== %s\n' "$*" >&3; }

show() { # a command as one would type it
  local word
  printf '$ aws ecs' >&3
  for word in "$@"; do
    if [[ $word =~ ^[A-Za-z0-9_./:=,@%+-]+$ ]]; then printf ' %s' "$word" >&3; else printf " '%s'" "$word" >&3; fi
  done
  printf '\n' >&3
}

ecs() { # show a command, and run it
  show "$@"
  aws ecs "$@"
}

quietly() { aws ecs "$@" >/dev/null 2>&1 || true; }

clean_up() {
  local status=$? it
  say "Cleaning up"
  for it in ${tasks[@]+"${tasks[@]}"}; do quietly stop-task --cluster "$cluster" --task "$it"; done
  for it in ${definitions[@]+"${definitions[@]}"}; do quietly deregister-task-definition --task-definition "$it"; done
  if ((${#definitions[@]})); then quietly delete-task-definitions --task-definitions "${definitions[@]}"; fi
  if [[ $setting ]]; then quietly delete-account-setting --name "$setting"; fi
  quietly delete-cluster --cluster "$own_cluster"
  ((status == 0)) && printf 'Done.\n' >&3 || printf 'Ended early, with status %s.\n' "$status" >&3
  exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

register() { # words of register-task-definition; remembers the revision as $registered
  registered=$(ecs register-task-definition "$@" --query taskDefinition.taskDefinitionArn --output text)
  definitions+=("$registered")
  printf '%s\n' "$registered"
}

run() { # words of run-task; remembers the task as $task
  task=$(ecs run-task --cluster "$cluster" "$@" --query 'tasks[0].taskArn' --output text)
  [[ $task == arn:* ]] || { printf 'nothing was placed; is a container instance in cluster %s?\n' "$cluster" >&2; exit 1; }
  tasks+=("$task")
  printf '%s\n' "$task"
}

say "Clusters"
ecs create-cluster --cluster-name "$own_cluster" --settings name=containerInsights,value=disabled \
  --tags key=made-by,value=aws-cli-tour --query cluster.clusterArn --output text
ecs update-cluster-settings --cluster "$own_cluster" --settings name=containerInsights,value=enabled \
  --query 'cluster.settings' --output text
ecs describe-clusters --clusters "$own_cluster" --include SETTINGS TAGS \
  --query 'clusters[].{name: clusterName, status: status, tags: tags}' --output json
ecs list-clusters --page-size 1 --output text

say "A task definition from a file, with a tag"
register --cli-input-json "file://$here/hello.json" --family "$family" --tags key=team,value=harbour
ecs describe-task-definition --task-definition "$family" --include TAGS \
  --query '{revision: taskDefinition.revision, status: taskDefinition.status, tags: tags}' --output json

say "Run it to its end, and get the container's own exit code"
run --task-definition "$family" --started-by aws-cli-tour
ecs wait tasks-stopped --cluster "$cluster" --tasks "$task"
ecs describe-tasks --cluster "$cluster" --tasks "$task" \
  --query 'tasks[].[lastStatus, stopCode, stoppedReason, containers[0].exitCode]' --output text

say "A second revision: run, watch, tag and stop it"
register --family "$family" --container-definitions \
  '[{"name": "main", "image": "busybox", "cpu": 64, "memory": 32, "command": ["sh", "-c", "trap exit TERM; sleep 600 & wait"]}]'
run --task-definition "$family" --tags key=colour,value=red \
  --overrides '{"containerOverrides": [{"name": "main", "environment": [{"name": "GREETING", "value": "ahoy"}]}]}'
ecs wait tasks-running --cluster "$cluster" --tasks "$task"
ecs describe-tasks --cluster "$cluster" --tasks "$task" \
  --query 'tasks[].containers[].{name: name, status: lastStatus, image: image}' --output table
ecs tag-resource --resource-arn "$task" --tags key=size,value=small
ecs list-tags-for-resource --resource-arn "$task" --query 'sort_by(tags, &key)[].[key, value]' --output text
ecs untag-resource --resource-arn "$task" --tag-keys colour size
ecs list-tasks --cluster "$cluster" --family "$family" --desired-status RUNNING --max-items 5 --output text
ecs stop-task --cluster "$cluster" --task "$task" --reason "seen enough" --query 'task.desiredStatus' --output text
ecs wait tasks-stopped --cluster "$cluster" --tasks "$task"
ecs describe-tasks --cluster "$cluster" --tasks "$task" --query 'tasks[].[stopCode, stoppedReason]' --output text

say "Where it ran"
instances=$(ecs list-container-instances --cluster "$cluster" --status ACTIVE --query 'containerInstanceArns[]' --output text)
# shellcheck disable=SC2086 # several words
ecs describe-container-instances --cluster "$cluster" --container-instances $instances --output text --query \
  'containerInstances[].[status, agentConnected, registeredResources[?name==`CPU`].integerValue | [0], remainingResources[?name==`CPU`].integerValue | [0]]'

say "Account settings"
setting=containerInsights
ecs put-account-setting --name containerInsights --value enabled --query 'setting.[name, value]' --output text
ecs list-account-settings --name containerInsights --effective-settings --query 'settings[].[name, value]' --output text
ecs delete-account-setting --name containerInsights --query 'setting.name' --output text

say "What cannot be is refused with ECS's words"
show describe-tasks --cluster no-such-cluster --tasks "${task##*/}"
if answer=$(aws ecs describe-tasks --cluster no-such-cluster --tasks "${task##*/}" 2>&1); then exit 1; fi
printf '%s\n' "$answer"

say "Take the revisions away again"
ecs list-task-definitions --family-prefix "$family" --sort DESC --page-size 1 --output text
for revision in "${definitions[@]}"; do
  ecs deregister-task-definition --task-definition "$revision" --query taskDefinition.status --output text
done
ecs delete-task-definitions --task-definitions "${definitions[@]}" --query 'taskDefinitions[].status' --output text
ecs delete-cluster --cluster "$own_cluster" --query 'cluster.status' --output text
definitions=() tasks=() setting=''
