"""An API server in memory that speaks as Kubernetes' reference says: JSON bodies, Status objects, exec by web socket.

`exec` runs the argument list for real on this machine, so that what we send into a container is executed, not assumed.
"""

import asyncio
import json
import subprocess
import sys
import threading
from pathlib import Path

import yaml
from aiohttp import WSMsgType, web

ROLE = Path(__file__).parents[4] / "serving" / "deploy" / "chaos" / "role.yaml"
STDOUT, STDERR, ERROR = b"\x01", b"\x02", b"\x03"


def pod(name, *, labels=None, ready=True, uid=None, phase="Running", node="node-a", deleted=False, waiting=None):
    """A pod as `GET /api/v1/namespaces/NS/pods/NAME` answers it, cut to what there is use for."""
    state = {"waiting": {"reason": waiting}} if waiting else {"running": {"startedAt": "2026-11-01T10:00:00Z"}}
    metadata = {
        "name": name,
        "namespace": "serving",
        "uid": uid or f"uid-{name}",
        "labels": labels or {"app": "llm"},
        "creationTimestamp": "2026-11-01T10:00:00Z",
    }
    if deleted:
        metadata["deletionTimestamp"] = "2026-11-01T11:00:00Z"
    condition = {"type": "Ready", "status": str(ready), "lastTransitionTime": "2026-11-01T10:01:00Z"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"nodeName": node, "containers": [{"name": "triton"}, {"name": "sidecar"}]},
        "status": {
            "phase": phase,
            "podIP": "10.0.0.7",
            "conditions": [condition],
            "containerStatuses": [
                {"name": "triton", "restartCount": 2, "ready": ready, "state": state, "image": "i", "imageID": "id"}
            ],
        },
    }


def status(code, reason, message):
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "reason": reason,
        "message": message,
        "code": code,
    }
    return web.json_response(body, status=code)


def granted(path):
    """What the shipped Role allows: (verb, resource)."""
    (role,) = [document for document in yaml.safe_load_all(path.read_text()) if document["kind"] == "Role"]
    return {(verb, resource) for rule in role["rules"] for resource in rule["resources"] for verb in rule["verbs"]}


def asked_for(request):
    """What a request needs, as the API server derives it from method and path."""
    resource, _, rest = request.path.partition("/namespaces/")[2].partition("/")[2].partition("/")
    sub = rest.partition("/")[2].partition("/")[0]
    verbs = {"GET": "get" if rest else "list", "POST": "create", "PATCH": "patch", "DELETE": "delete"}
    return verbs[request.method], f"{resource}/{sub}" if sub else resource


class FakeApi:
    """`pods` by name; `calls` is what was asked that changes something."""

    pod = staticmethod(pod)

    def __init__(self):
        self.pods = {}
        self.policies = {}
        self.replicas = 3
        self.pages = {}
        self.calls = []
        self.forbidden = set()
        self.rights = granted(ROLE)
        self.exec_answer = None
        self.on_delete = lambda name: None
        self.url = ""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._up = threading.Event()

    def start(self):
        self._thread.start()
        assert self._up.wait(10)

    def stop(self):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def kubeconfig(self, folder: Path, *, context="drills"):
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "fake", "cluster": {"server": self.url}}],
            "users": [{"name": "tester", "user": {"token": "not-a-secret"}}],
            "contexts": [{"name": context, "context": {"cluster": "fake", "user": "tester"}}],
            "current-context": "",
        }
        path = folder / "kubeconfig"
        path.write_text(yaml.safe_dump(config))
        return path

    def _serve(self):
        asyncio.set_event_loop(self._loop)
        runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=0.1)
        self._loop.run_until_complete(runner.setup())
        self._loop.run_until_complete(web.TCPSite(runner, "127.0.0.1", 0).start())
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        self._up.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())

    def _application(self):
        app = web.Application(middlewares=[self._rights])
        ns = "/api/v1/namespaces/{ns}"
        app.router.add_get(f"{ns}/pods", self._list)
        app.router.add_get(f"{ns}/pods/{{name}}/exec", self._exec)
        app.router.add_get(f"{ns}/pods/{{pod}}:{{port}}/proxy/{{path}}", self._page)
        app.router.add_get(f"{ns}/pods/{{name}}", self._read)
        app.router.add_patch(f"{ns}/pods/{{name}}", self._patch)
        app.router.add_delete(f"{ns}/pods/{{name}}", self._delete)
        app.router.add_post(f"{ns}/pods/{{name}}/eviction", self._evict)
        workloads = "/apis/apps/v1/namespaces/{ns}/{kind:deployments|statefulsets}/{name}"
        app.router.add_get(workloads, self._workload)
        app.router.add_patch(workloads, self._scale)
        policies = "/apis/networking.k8s.io/v1/namespaces/{ns}/networkpolicies"
        app.router.add_post(policies, self._create_policy)
        app.router.add_delete(f"{policies}/{{name}}", self._delete_policy)
        return app

    @web.middleware
    async def _rights(self, request, handler):
        verb, resource = asked_for(request)
        if (verb, resource) not in self.rights or verb in self.forbidden:
            what = f'{resource} is forbidden: User "tester" cannot {verb} resource "{resource}"'
            return status(403, "Forbidden", what)
        return await handler(request)

    def _missing(self, kind, name):
        return status(404, "NotFound", f'{kind} "{name}" not found')

    async def _list(self, request):
        wanted = dict(part.split("=") for part in request.query.get("labelSelector", "").split(",") if part)
        node = request.query.get("fieldSelector", "").removeprefix("spec.nodeName=")
        items = [
            p
            for p in self.pods.values()
            if wanted.items() <= p["metadata"]["labels"].items() and node in ("", p["spec"]["nodeName"])
        ]
        return web.json_response({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items})

    async def _read(self, request):
        found = self.pods.get(request.match_info["name"])
        return web.json_response(found) if found else self._missing("pods", request.match_info["name"])

    async def _patch(self, request):
        found = self.pods.get(request.match_info["name"])
        if found is None:
            return self._missing("pods", request.match_info["name"])
        for key, value in (await request.json())["metadata"]["labels"].items():
            found["metadata"]["labels"].pop(key, None)
            if value is not None:
                found["metadata"]["labels"][key] = value
        self.calls.append(("label", request.match_info["name"]))
        return web.json_response(found)

    async def _delete(self, request):
        name, body = request.match_info["name"], await request.json() if request.can_read_body else {}
        found = self.pods.get(name)
        if found is None:
            return self._missing("pods", name)
        uid = (body.get("preconditions") or {}).get("uid")
        if uid and uid != found["metadata"]["uid"]:
            return status(409, "Conflict", f"the UID in the precondition ({uid}) does not match")
        self.calls.append(("delete", name, body.get("gracePeriodSeconds")))
        del self.pods[name]
        self.on_delete(name)
        return web.json_response(found)

    async def _evict(self, request):
        name, body = request.match_info["name"], await request.json()
        if "eviction" in self.forbidden:
            return status(429, "TooManyRequests", "Cannot evict pod as it would violate the pod's disruption budget.")
        self.calls.append(("evict", name, body["deleteOptions"]["gracePeriodSeconds"]))
        self.pods[name]["metadata"]["deletionTimestamp"] = "2026-11-01T11:00:00Z"
        return web.json_response({"kind": "Status", "status": "Success"}, status=201)

    async def _workload(self, request):
        kind = {"deployments": "Deployment", "statefulsets": "StatefulSet"}[request.match_info["kind"]]
        labels = {"app": "llm"}
        template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "triton"}]}}
        spec = {
            "replicas": self.replicas,
            "selector": {"matchLabels": labels},
            "template": template,
            "serviceName": "llm",
        }
        metadata = {"name": request.match_info["name"], "namespace": "serving"}
        return web.json_response({"kind": kind, "apiVersion": "apps/v1", "metadata": metadata, "spec": spec})

    async def _scale(self, request):
        self.replicas = (await request.json())["spec"]["replicas"]
        self.calls.append(("scale", request.match_info["kind"], request.match_info["name"], self.replicas))
        return await self._workload(request)

    async def _create_policy(self, request):
        policy = await request.json()
        name = policy["metadata"]["name"]
        if name in self.policies:
            return status(409, "AlreadyExists", f'networkpolicies "{name}" already exists')
        self.policies[name] = policy
        self.calls.append(("create policy", name))
        return web.json_response(policy, status=201)

    async def _delete_policy(self, request):
        name = request.match_info["name"]
        if self.policies.pop(name, None) is None:
            return self._missing("networkpolicies", name)
        self.calls.append(("delete policy", name))
        return web.json_response({"kind": "Status", "status": "Success"})

    async def _page(self, request):
        page = self.pages.get((request.match_info["pod"], int(request.match_info["port"])))
        return web.Response(text=page) if page is not None else status(503, "ServiceUnavailable", "no endpoints")

    async def _exec(self, request):
        socket = web.WebSocketResponse(protocols=("v4.channel.k8s.io",))
        await socket.prepare(request)
        command = request.query.getall("command")
        self.calls.append(("exec", request.match_info["name"], request.query.get("container"), command[0]))
        code, out = await asyncio.to_thread(self._run, command)
        await socket.send_bytes(STDOUT + out)
        await socket.send_bytes(ERROR + json.dumps(_ended(code)).encode())
        await socket.close()
        async for message in socket:
            if message.type == WSMsgType.CLOSE:
                break
        return socket

    def _run(self, command):
        if self.exec_answer is not None:
            return 0, self.exec_answer(command).encode()
        argv = [sys.executable, *command[1:]] if command[0] == "python3" else command
        done = subprocess.run(argv, capture_output=True, timeout=20, check=False)
        return done.returncode, done.stdout


def _ended(code):
    if code == 0:
        return {"metadata": {}, "status": "Success"}
    causes = [{"reason": "ExitCode", "message": str(code)}]
    message = f"command terminated with non-zero exit code: exit status {code}"
    return {"metadata": {}, "status": "Failure", "message": message, "details": {"causes": causes}}
