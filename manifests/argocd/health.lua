-- Health of every Steadfit kind, read from its conditions the way kstatus reads them.
-- Argo CD itself reports an object that is being deleted as Progressing, before it runs this script.
local health = {status = "Progressing", message = "Not seen by the operator yet"}

local status = obj.status
if status == nil or status.observedGeneration ~= obj.metadata.generation then
  return health
end

local conditions = {}
for _, condition in ipairs(status.conditions or {}) do
  conditions[condition.type] = condition
end

local function is_true(type)
  return conditions[type] ~= nil and conditions[type].status == "True"
end

if conditions.Ready ~= nil then
  health.message = conditions.Ready.message
end

if is_true("Stalled") then
  health.status = "Degraded"
elseif is_true("Reconciling") then
  health.status = "Progressing"
elseif is_true("Ready") then
  -- Suspended does not make an application Degraded; it only means that no run starts.
  health.status = (obj.spec ~= nil and obj.spec.suspend == true) and "Suspended" or "Healthy"
end
return health
