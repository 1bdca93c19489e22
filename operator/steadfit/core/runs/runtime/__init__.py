"""The runtime: the object that an attempt runs as. It is a Job; nothing else in the operator knows how a Job works.

A second runtime (a JobSet, say) is a package like this one beside it. It provides, for its object:

- `job.attempt_name(run, number)`: the name of an attempt's object, a function of its arguments alone, so that a
  repeated creation meets the object of the first one. `status.attempts[].job` holds it.
- `job_manifest.missing(run, stores)`: why an attempt cannot be rendered now, in a sentence, or None.
- `job_manifest.render(run, attempt, stores, platform, champion, evaluated, known)`: the object of an attempt,
  controlled by the TrainingRun and labelled `app.kubernetes.io/managed-by`. Its pods carry the labels of run and
  attempt (`core/names.py`), the steps `fetch`, `train` and `publish` (or `fetch` and `evaluate`) in this order, and
  STEADFIT_CONFIG (`core/runs/step_config.py`) in those that are not the user's. It does not retry, runs no second pod
  beside one that is still ending, and has no deadline: `core/runs` counts attempts and watches timeouts.
- `job_manifest.template_digest(object)`: the digest of the pod template, for the lineage of a version.
- `job.render(name, owner, template, …)`: an object that runs one pod once, which is how quarantines are written.
- `job.is_complete(object)`, `job.failed(object)`, `job.is_over(object)`: whether it has succeeded; the condition by
  which it failed (`reason`, `message`, `lastTransitionTime`) or None; whether it has ended either way.
- `job.is_suspended(object)`: whether a queue (Kueue) holds it back; `names.queue_labels` puts it into one.
- `job.is_deleted(object)`, `job.reference(object)`: whether it is being deleted, and what a deletion needs of it.
- `job.KIND`: its name in messages.
- `pods.pods_of(object, pods)`, `pods.pod_of(object, pods)`: its pods, oldest first, and the one that is the attempt:
  the newest, or None while the object is suspended. `pod_view` and `pod_waiting` read a pod, whatever runs it.
- `refusal.lacks_pod(object, pods)`: whether it should have a pod and has none. The Events that
  `refusal.FIELD_SELECTOR` selects say why; `app/engine/refusals.py` reads them. `refusal.cause` and
  `refusal.is_temporary` read such a message, whatever was refused, and `refusal.time_of` when it happened.
- `trust.renew(observed)`: what brings a replaced CA to the pods that run. It works on pods, whatever runs them.
- `ownership.workload_of(pod)`, `ownership.run_of(pod, object)`: the chain of controllers from a pod to its TrainingRun,
  by uid. It authenticates a posted result, so it must accept no link that a user can forge. A longer chain needs one
  function for each link.

Outside of the package, its kind belongs into `RUNTIMES` of `kube/resources.py`, by which it is watched, and into the
operator's ClusterRole. The Protocol of both is written with the second one.
"""
