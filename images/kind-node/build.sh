#!/bin/bash
# The node image of the local cluster where kindest/node cannot be pulled: Debian packages, Kubernetes built
# from Go modules, and the seven images kubeadm asks for. It pulls nothing.
# usage: build.sh ROOTFS.tar BIN IMAGE VERSION    BIN holds the static binaries; docker answers.
set -euo pipefail
rootfs=$1 bin=$2 image=$3 version=$4 here=$(dirname "$(readlink -f "$0")")
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
node=$work/node; mkdir -p "$node"
tar -C "$node" --numeric-owner -xf "$rootfs"
libraries=$(cd "$node" && echo usr/lib/*-linux-gnu)

# kubeadm asks for exactly these names (`kubeadm config images list`).
tags=()
pack() { # TAG DIRECTORY ENTRYPOINT
  tar -C "$2" --numeric-owner --owner=0 --group=0 -c . | docker import -c "ENTRYPOINT [\"$3\"]" - "registry.k8s.io/$1" >/dev/null
  tags+=("registry.k8s.io/$1")
}
for name in kube-apiserver kube-controller-manager kube-scheduler; do
  install -D "$bin/$name" "$work/$name/usr/local/bin/$name"; pack "$name:$version" "$work/$name" "/usr/local/bin/$name"
done
install -D "$bin/etcd" "$work/etcd/usr/local/bin/etcd"; pack etcd:3.6.5-0 "$work/etcd" /usr/local/bin/etcd
install -D "$bin/coredns" "$work/coredns/coredns"; pack coredns/coredns:v1.12.1 "$work/coredns" /coredns
install -D "$bin/pause" "$work/pause/pause"; pack pause:3.10.1 "$work/pause" /pause

# kube-proxy also runs iptables and nft, with their libraries.
proxy=$work/kube-proxy; install -D "$bin/kube-proxy" "$proxy/usr/local/bin/kube-proxy"
mkdir -p "$proxy"/usr/{bin,sbin,lib64} "$proxy/$libraries" "$proxy/run"
for name in bin sbin lib lib64; do ln -s "usr/$name" "$proxy/$name"; done
cp "$node"/usr/sbin/{xtables-nft-multi,nft} "$proxy/usr/sbin/"
cp -r "$node/$libraries/xtables" "$proxy/$libraries/"
for name in iptables iptables-save iptables-restore ip6tables ip6tables-save ip6tables-restore; do
  ln -s xtables-nft-multi "$proxy/usr/sbin/$name"
done
chroot "$node" sh -c "ldd /usr/sbin/xtables-nft-multi /usr/sbin/nft /$libraries/xtables/*.so" |
  sed -n 's/.*[[:space:]]\(\/[^ ]*\) (0x.*/\1/p' | sort -u |
  while read -r library; do mkdir -p "$proxy$(dirname "$library")"; cp -L "$node$library" "$proxy$library"; done
pack "kube-proxy:$version" "$proxy" /usr/local/bin/kube-proxy

mkdir -p "$node"/kind/{images,manifests} "$node/etc/containerd"
docker save -o "$node/kind/images/control-plane.tar" "${tags[@]}"
docker image rm "${tags[@]}" >/dev/null
install "$bin"/{kubelet,kubeadm,kubectl} "$node/usr/bin/"
install "$here/entrypoint" "$node/usr/local/bin/entrypoint"
for name in systemctl journalctl crictl; do install "$here/shim" "$node/usr/local/bin/$name"; done
install -m 644 "$here/containerd.toml" "$node/etc/containerd/config.toml"
install -m 644 "$here"/default-{cni,storage}.yaml "$node/kind/manifests/"
printf %s "$version" >"$node/kind/version"
tar -C "$node" --numeric-owner -c . |
  docker import -c 'ENTRYPOINT ["/usr/local/bin/entrypoint"]' -c 'ENV container=docker' - "$image" >/dev/null
