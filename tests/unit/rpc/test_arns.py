"""Names in, names out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.rpc import arns, errors

NAMES = st.from_regex(r"[A-Za-z0-9_-]{1,40}", fullmatch=True)
IDS = st.from_regex(r"[0-9a-f]{32}", fullmatch=True)
REGIONS = st.from_regex(r"[a-z]{2}-[a-z]{4,8}-[1-9]", fullmatch=True)
ACCOUNTS = st.from_regex(r"[0-9]{12}", fullmatch=True)
PLACES = st.builds(
    arns.Place, account=ACCOUNTS, region=REGIONS, partition=st.sampled_from(["aws", "aws-cn", "aws-us-gov"])
)
HERE = arns.Place(account="123456789012", region="us-east-1")
ID = "0123456789abcdef0123456789abcdef"


@given(PLACES, NAMES, NAMES, IDS, IDS, st.integers(min_value=1, max_value=999_999_999))
def test_what_is_rendered_is_parsed_back_and_rendered_the_same(
    place: arns.Place, cluster: str, name: str, parent: str, identifier: str, revision: int
) -> None:
    rendered = {
        arns.capacity_provider: place.capacity_provider(name),
        arns.cluster: place.cluster(cluster),
        arns.task: place.task(cluster, identifier),
        arns.container_instance: place.container_instance(cluster, identifier),
        arns.container: place.container(cluster, parent, identifier),
        arns.service: place.service(cluster, name),
        arns.task_set: place.task_set(cluster, name, identifier),
        arns.task_definition: place.task_definition(name, revision),
    }
    for parse, arn in rendered.items():
        reference = parse(arn, place=place)
        assert reference == arns.any_arn(arn, place=place)
        assert place.render(reference) == arn
        assert (reference.account, reference.region) == (place.account, place.region)


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        (
            arns.task(f"arn:aws:ecs:us-east-1:123456789012:task/web/{ID}"),
            arns.Reference(arns.Kind.TASK, ID, cluster="web", account="123456789012", region="us-east-1"),
        ),
        (
            arns.task(f"arn:aws:ecs:us-east-1:123456789012:task/{ID}"),
            arns.Reference(arns.Kind.TASK, ID, account="123456789012", region="us-east-1"),
        ),
        (
            arns.container_instance(
                "arn:aws:ecs:eu-west-1:123456789012:container-instance/f9cc75bb-0c94-46b9-bf6d-49d320bc1551"
            ),
            arns.Reference(
                arns.Kind.CONTAINER_INSTANCE,
                "f9cc75bb-0c94-46b9-bf6d-49d320bc1551",
                account="123456789012",
                region="eu-west-1",
            ),
        ),
        (
            arns.service("arn:aws:ecs:us-east-1:123456789012:service/api"),
            arns.Reference(arns.Kind.SERVICE, "api", account="123456789012", region="us-east-1"),
        ),
        (
            arns.container(f"arn:aws:ecs:us-east-1:123456789012:container/web/{ID}/c-1"),
            arns.Reference(
                arns.Kind.CONTAINER, "c-1", cluster="web", parent=ID, account="123456789012", region="us-east-1"
            ),
        ),
        (arns.cluster("web"), arns.Reference(arns.Kind.CLUSTER, "web")),
        (arns.cluster(""), arns.Reference(arns.Kind.CLUSTER, "default")),
        (arns.task(ID), arns.Reference(arns.Kind.TASK, ID)),
        (arns.task_definition("web"), arns.Reference(arns.Kind.TASK_DEFINITION, "web")),
        (arns.task_definition("web:7"), arns.Reference(arns.Kind.TASK_DEFINITION, "web", revision=7)),
        (
            arns.task_definition("arn:aws:ecs:us-east-1:123456789012:task-definition/web:7"),
            arns.Reference(arns.Kind.TASK_DEFINITION, "web", revision=7, account="123456789012", region="us-east-1"),
        ),
    ],
)
def test_short_names_ids_and_both_formats_of_arns_are_understood(
    reference: arns.Reference, expected: arns.Reference
) -> None:
    assert reference == expected


@pytest.mark.parametrize(
    ("parse", "text", "message"),
    [
        (arns.task, "arn:aws:ecs:us-east-1:123456789012:cluster/web", "is the ARN of a cluster, not of a task"),
        (arns.task, "arn:aws:ecs:us-east-1:12345:task/web/1", "Invalid arn syntax"),
        (arns.task, "arn:aws:ec2:us-east-1:123456789012:task/web/1", "Invalid arn syntax"),
        (arns.task, "arn:aws:ecs:us-east-1:123456789012:task/a/b/c", "Invalid arn syntax"),
        (arns.task, "arn:aws:ecs:us-east-1:123456789012:task/a!/b", "Invalid arn syntax"),
        (arns.task, "", "is not the id of a task"),
        (arns.container_instance, "a/b", "is not the id of a container instance"),
        (arns.cluster, "a b", "is not the name of a cluster"),
        (arns.cluster, "x" * 256, "…"),
        (arns.cluster, "web\n", "is not the name of a cluster"),
        (arns.any_arn, "web", "Invalid arn syntax"),
        (arns.any_arn, "arn:aws:ecs:us-east-1:123456789012:daemon/web", "Invalid resource type in arn: daemon"),
    ],
)
def test_what_is_no_name_is_an_invalid_parameter(parse: object, text: str, message: str) -> None:
    with pytest.raises(errors.InvalidParameterException) as caught:
        parse(text)  # type: ignore[operator]
    assert message in str(caught.value)


@pytest.mark.parametrize("text", ["web:0", "web:-1", "web:x", "web:", "web:1:2", "web:٣", "web:9999999999"])
def test_a_revision_that_is_no_number_is_a_client_exception(text: str) -> None:
    with pytest.raises(errors.ClientException, match=r"Invalid revision number\. Number: "):
        arns.task_definition(text)


@pytest.mark.parametrize("text", ["", ":1", "a b:1", "a/b"])
def test_a_family_that_is_none_is_a_client_exception(text: str) -> None:
    with pytest.raises(errors.ClientException, match="Invalid task definition: "):
        arns.task_definition(text)


def test_arns_of_elsewhere_are_refused_only_where_the_place_is_given() -> None:
    there = arns.Place(account="210987654321", region="eu-west-1")
    assert arns.task(there.task("web", ID)).region == "eu-west-1"
    with pytest.raises(
        errors.InvalidParameterException, match=r"Identifier is for eu-west-1\. Your region is us-east-1"
    ):
        arns.task(there.task("web", ID), place=HERE)
    with pytest.raises(
        errors.InvalidParameterException, match=r"Identifier is for 210987654321\. Your accountId is 123456789012"
    ):
        arns.task(arns.Place(account="210987654321", region="us-east-1").task("web", ID), place=HERE)


def test_a_place_of_any_region_takes_arns_of_every_region_but_of_its_account_alone() -> None:
    anywhere = arns.Place(account="123456789012", region="us-east-1", any_region=True)
    there = arns.Place(account="123456789012", region="eu-west-1")
    named = arns.task(there.task("web", ID), place=anywhere)
    assert (named.name, named.cluster, named.region) == (ID, "web", "eu-west-1")
    assert anywhere.render(named) == HERE.task("web", ID)
    with pytest.raises(errors.InvalidParameterException, match=r"Your accountId is 123456789012"):
        arns.task(arns.Place(account="210987654321", region="eu-west-1").task("web", ID), place=anywhere)


def test_an_arn_of_another_cluster_is_refused() -> None:
    named = arns.task(HERE.task("web", ID))
    assert arns.same_cluster(named, "web") is named
    assert arns.same_cluster(arns.task(ID), "other").name == ID
    with pytest.raises(errors.InvalidParameterException, match=r"Identifier is for web\. Your cluster is other"):
        arns.same_cluster(named, "other")


def test_an_arn_needs_all_its_parts() -> None:
    with pytest.raises(ValueError, match="needs its cluster"):
        HERE.render(arns.task(ID))
    with pytest.raises(ValueError, match="needs its revision"):
        HERE.render(arns.task_definition("web"))


@given(st.text(max_size=80))
def test_any_text_is_either_understood_or_refused_by_name(text: str) -> None:
    for parse in (arns.cluster, arns.task, arns.container_instance, arns.service, arns.task_definition, arns.task_set):
        try:
            reference = parse(text)
        except (errors.InvalidParameterException, errors.ClientException):
            continue
        assert reference.name
