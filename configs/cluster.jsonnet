// The quickstart on a Ray cluster: any other config becomes one for a cluster in the same way.
// Corpus, model and store must be at the same paths on all nodes; without an address, Ray is started on this machine.
//
//   embedpipe extract configs/cluster.jsonnet -o features.h5 --overrides '{"engine.address": "auto", "engine.workers": 32}'
(import "quickstart.jsonnet") + {
  engine: {
    type: "ray",
    workers: 2,
    cpus_per_worker: 1,
    gpus_per_worker: 0,
    max_retries: 10,
  },
}
