"""What the API server adds to built-in objects. An operator that compares what it wrote with what it reads trips
over exactly these."""

from __future__ import annotations

from .objects import JSON, Ref


def complete(ref: Ref, obj: JSON) -> JSON:
    """Return an object with the defaults of its built-in kind; other kinds pass unchanged."""
    spec = dict(obj.get("spec", {}))
    match ref.kind:
        case "Service":
            spec.setdefault("type", "ClusterIP")
            spec.setdefault("clusterIP", "10.96.0.1")
            spec.setdefault("clusterIPs", ["10.96.0.1"])
            spec.setdefault("sessionAffinity", "None")
            spec.setdefault("internalTrafficPolicy", "Cluster")
            spec.setdefault("ipFamilies", ["IPv4"])
            spec.setdefault("ipFamilyPolicy", "SingleStack")
            spec["ports"] = [{"protocol": "TCP", "targetPort": port["port"], **port} for port in spec.get("ports", [])]
        case "Deployment":
            spec.setdefault("replicas", 1)
            spec.setdefault("revisionHistoryLimit", 10)
            spec.setdefault("progressDeadlineSeconds", 600)
            spec.setdefault(
                "strategy", {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}
            )
            spec["template"] = _template(spec["template"], "Always")
        case "Job":
            spec.setdefault("parallelism", 1)
            spec.setdefault("completions", 1)
            spec.setdefault("backoffLimit", 6)
            spec.setdefault("suspend", False)
            spec.setdefault("completionMode", "NonIndexed")
            spec.setdefault("podReplacementPolicy", "TerminatingOrFailed")
            uid = obj["metadata"]["uid"]
            spec.setdefault("selector", {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}})
            template = _template(spec["template"], "Never")
            labels = {"batch.kubernetes.io/controller-uid": uid, "batch.kubernetes.io/job-name": ref.name}
            metadata = template.get("metadata", {})
            template["metadata"] = {**metadata, "labels": {**metadata.get("labels", {}), **labels}}
            spec["template"] = template
        case _:
            return obj
    return {**obj, "spec": spec}


def _template(template: JSON, restart_policy: str) -> JSON:
    spec = {
        "restartPolicy": restart_policy,
        "dnsPolicy": "ClusterFirst",
        "schedulerName": "default-scheduler",
        "terminationGracePeriodSeconds": 30,
        **template.get("spec", {}),
    }
    return {**template, "spec": spec}
