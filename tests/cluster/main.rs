//! Clusters, with a real etcd: `apt-get install etcd-server`.

mod etcd;
mod server;
