//! What is kept of media pods: there may be thousands, and of a spec only the images are ever looked at.

use k8s_openapi::api::core::v1::Pod;
use serde_json::{Map, Value};

use super::guarded::{Belongs, Watched};

impl Watched for Pod {
    const BELONGS: Belongs = Belongs::Label;
    const KIND: &'static str = "Pod";
    const RESOURCE: &'static str = "pods";

    fn trim(object: &mut Value) {
        let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) else { return };
        spec.retain(|field, _| matches!(field.as_str(), "nodeName" | "containers" | "initContainers"));
        let lists = ["containers", "initContainers"];
        for list in lists {
            let containers = spec.get_mut(list).and_then(Value::as_array_mut);
            for container in containers.into_iter().flatten().filter_map(Value::as_object_mut) {
                name_and_image(container);
            }
        }
    }
}

fn name_and_image(container: &mut Map<String, Value>) {
    container.retain(|field, _| matches!(field.as_str(), "name" | "image"));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::watch::Guarded;

    #[test]
    fn of_a_pods_spec_its_node_and_its_images_are_kept() {
        let container = json!({"name": "bus", "image": "media-pod", "args": ["run"], "env": [{"name": "A"}]});
        let spec = json!({
            "nodeName": "n", "containers": [container.clone()], "initContainers": [container],
            "volumes": [{"name": "bin"}], "tolerations": [{}],
        });
        let pod = json!({"metadata": {"name": "x"}, "spec": spec, "status": {"podIP": "10.0.0.1"}});
        let guarded: Guarded<Pod> = serde_json::from_value(pod).unwrap();
        let pod = guarded.object.unwrap();
        let spec = serde_json::to_value(pod.spec.unwrap()).unwrap();
        let kept = json!([{"name": "bus", "image": "media-pod"}]);
        assert_eq!(spec, json!({"nodeName": "n", "containers": kept, "initContainers": kept}));
        assert_eq!(pod.status.unwrap().pod_ip.as_deref(), Some("10.0.0.1"));
    }
}
