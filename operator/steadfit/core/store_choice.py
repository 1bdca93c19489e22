"""Selection of an ArtifactStore by name or URI, among those that the namespace may use."""

from __future__ import annotations

from collections.abc import Mapping

from steadfit.api.artifactstore import ArtifactStore, LabelSelector, LabelSelectorRequirement
from steadfit.api.data import DataSource

from .types import Stores


def by_name(name: str, stores: Stores) -> ArtifactStore | str:
    """Return the store of this name, or a sentence that says why it cannot be used."""
    for store in stores.stores:
        if store.name == name:
            if selects(store.spec.allowed_namespaces, stores.namespace_labels):
                return store
            return f"ArtifactStore {name} is not allowed in this namespace (its allowedNamespaces)"
    return f"there is no ArtifactStore {name}"


def for_uri(uri: str, stores: Stores) -> ArtifactStore | str:
    """Return the store with the longest prefix of a URI, or a sentence that says why there is none.

    A store with a longer prefix that this namespace may not use hides one with a shorter prefix: otherwise
    allowedNamespaces of a narrower store would have no effect. Of two stores with the same prefix, the allowed one is
    returned.
    """
    found = [store for store in stores.stores if _is_below(uri, store.spec.uri_prefix)]
    if not found:
        return f"no ArtifactStore has a prefix of {uri}: create one, or correct the URI"
    longest = max(len(_directory(store.spec.uri_prefix)) for store in found)
    candidates = sorted(
        (store for store in found if len(_directory(store.spec.uri_prefix)) == longest), key=lambda store: store.name
    )
    allowed = [store for store in candidates if selects(store.spec.allowed_namespaces, stores.namespace_labels)]
    if allowed:
        return allowed[0]
    name = candidates[0].name
    return f"ArtifactStore {name}, which holds {uri}, is not allowed in this namespace (its allowedNamespaces)"


def for_source(source: DataSource, store: str, stores: Stores) -> ArtifactStore | str:
    """Return the store that holds a data source, or a sentence that says why it cannot be used.

    Captured rows are where the live servers write them: in the store of the version that serves. Before any serves,
    that is the store of the TrainingJob, named `store`.
    """
    if source.captured is not None:
        return by_name(stores.captured_in.get(source.captured.deployment, store), stores)
    return for_uri(source.uri, stores) if source.uri is not None else by_name(store, stores)


def captures_uri(store: ArtifactStore, namespace: str | None, deployment: str) -> str:
    """Return the folder of a ModelDeployment's captured rows. No TrainingJob's folder can have that name."""
    return f"{_directory(store.spec.uri_prefix)}{namespace}/_captures/{deployment}/"


def _directory(prefix: str) -> str:
    return prefix.rstrip("/") + "/"


def _is_below(uri: str, prefix: str) -> bool:
    return (uri.rstrip("/") + "/").startswith(_directory(prefix))


def selects(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
    """Return whether a label selector matches these labels, by the rules of Kubernetes."""
    return all(labels.get(key) == value for key, value in selector.match_labels.items()) and all(
        _meets(requirement, labels) for requirement in selector.match_expressions
    )


def describe_selector(selector: LabelSelector) -> str:
    """Return a label selector as `kubectl --selector` takes it; empty for one that selects everything."""
    found = [f"{key}={value}" for key, value in selector.match_labels.items()]
    for one in selector.match_expressions:
        values = f"({','.join(one.values)})"
        forms = {"In": f"{one.key} in {values}", "NotIn": f"{one.key} notin {values}", "Exists": one.key}
        found.append(forms.get(one.operator, f"!{one.key}"))
    return ",".join(found)


def _meets(requirement: LabelSelectorRequirement, labels: Mapping[str, str]) -> bool:
    match requirement.operator:
        case "In":
            return labels.get(requirement.key) in requirement.values
        case "NotIn":
            return labels.get(requirement.key) not in requirement.values
        case "Exists":
            return requirement.key in labels
        case "DoesNotExist":
            return requirement.key not in labels
