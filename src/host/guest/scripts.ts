/**
 * What runs inside a guest: POSIX shell, for busybox's ash in our own guest and for whatever `sh`
 * a stock image has. Protocol of the agent: agent.ts.
 */

/** The agent: reads commands from the virtio-serial port, runs them side by side, tells results. */
export const AGENT_SCRIPT = String.raw`#!/bin/sh
# virtfn agent. Lines in:  @vf BOOT ID run BASE64 | @vf BOOT ID kill | @vf - 0 hello
#              lines out:  @vf BOOT ID out|err BASE64 | @vf BOOT ID end CODE OUTBYTES ERRBYTES
#                          @vf BOOT 0 ready KERNEL
port=
while [ -z "$port" ]; do
  for dir in /sys/class/virtio-ports/*; do
    read -r name < "$dir/name" 2> /dev/null || continue
    [ "$name" = virtfn.agent ] && [ -c "/dev/$(basename "$dir")" ] && port=/dev/$(basename "$dir")
  done
  [ -n "$port" ] || sleep 0.1
done
exec 3<> "$port" || exit 1
read -r boot < /proc/sys/kernel/random/boot_id
boot=$(echo "$boot" | cut -c 1-8)
release=$(uname -r)
jobs=/run/virtfn/jobs
rm -rf "$jobs"
mkdir -p "$jobs"
mkfifo "$jobs/outbox"
exec 4<> "$jobs/outbox"

# one sender, so that messages of jobs do not mix
while read -r message <&4; do
  cat "$message" >&3
  rm -f "$message"
done &

run() { # id base64
  job=$jobs/$1
  : > "$job.out"
  : > "$job.err"
  echo "$2" | base64 -d > "$job.cmd"
  setsid sh "$job.cmd" > "$job.out" 2> "$job.err" < /dev/null 3>&- 4>&- &
  echo $! > "$job.pid"
  wait $!
  code=$?
  {
    echo
    for kind in out err; do
      [ -s "$job.$kind" ] && head -c 8388608 "$job.$kind" | base64 -w 3000 |
        sed "s/^/@vf $boot $1 $kind /"
    done
    echo "@vf $boot $1 end $code $(stat -c %s "$job.out") $(stat -c %s "$job.err")"
  } > "$job.message"
  rm -f "$job.pid" "$job.out" "$job.err" "$job.cmd"
  echo "$job.message" >&4
}

printf '\n@vf %s 0 ready %s\n' "$boot" "$release" >&3
while :; do
  while read -r tag to id verb rest <&3; do
    [ "$tag" = @vf ] || continue
    case $to:$verb in
      -:hello) printf '\n@vf %s 0 ready %s\n' "$boot" "$release" > "$jobs/0.message"
        echo "$jobs/0.message" >&4 ;;
      $boot:run) run "$id" "$rest" & ;;
      $boot:kill) read -r pid < "$jobs/$id.pid" && kill -KILL "-$pid" ;;
    esac
  done 2> /dev/null
  sleep 0.1 # the host is not there
done
`;

/** Network helpers; docs in guest-vm.ts, where the host calls them. */
export const NET_SCRIPT = String.raw`#!/bin/sh
# virtfn-net wait DRIVER SECONDS | dhcp IFACE SECONDS | static IFACE ADDRESS/LENGTH MTU | list
driver_of() { basename "$(readlink "/sys/class/net/$1/device/driver" 2> /dev/null)"; }
pci_of() { # a virtio NIC hangs one level below its PCI function
  path=$(readlink -f "/sys/class/net/$1/device")
  case $(basename "$path") in virtio*) path=$(dirname "$path") ;; esac
  basename "$path"
}
nics() {
  for dir in /sys/class/net/*; do
    [ -e "$dir/device" ] && basename "$dir"
  done
}
[ -n "$VIRTFN_LIB" ] || VIRTFN_LIB=/usr/lib/virtfn
wait_carrier() { # an emulated NIC takes two seconds from up to link
  for try in $(seq 100); do
    read -r carrier 2> /dev/null < "/sys/class/net/$1/carrier" && [ "$carrier" = 1 ] && return
    sleep 0.1
  done
  echo "$1 has no link" >&2
  exit 1
}
case $1 in
  wait)
    left=$(($3 * 10))
    while :; do
      found=
      for nic in $(nics); do
        [ "$(driver_of "$nic")" = "$2" ] && found="$found $nic"
      done
      [ -n "$found" ] && break
      left=$((left - 1))
      [ $left -gt 0 ] || { echo "no interface has the driver $2" >&2; exit 1; }
      sleep 0.1
    done
    echo $found ;;
  dhcp)
    ip link set dev "$2" up || exit 1
    wait_carrier "$2"
    pidfile=/run/virtfn/udhcpc.$2
    [ -f "$pidfile" ] && kill "$(cat "$pidfile")" 2> /dev/null
    udhcpc -i "$2" -n -T 1 -t "$3" -p "$pidfile" -s "$VIRTFN_LIB/dhcp" \
      -O mtu -O staticroutes > /run/virtfn/udhcpc.$2.log 2>&1 ||
      { cat /run/virtfn/udhcpc.$2.log >&2; exit 1; }
    cat "/run/virtfn/lease.$2" ;;
  static)
    ip addr flush dev "$2"
    ip link set dev "$2" up "mtu" "${'$'}{4:-1500}" && ip addr add "$3" dev "$2" ;;
  list)
    for nic in $(nics); do
      read -r mac < "/sys/class/net/$nic/address"
      read -r mtu < "/sys/class/net/$nic/mtu"
      read -r state < "/sys/class/net/$nic/operstate"
      read -r speed 2> /dev/null < "/sys/class/net/$nic/speed" || speed=-1
      echo "$nic $(driver_of "$nic") $(pci_of "$nic") $mac $mtu $state $speed"
    done ;;
  *) echo "virtfn-net: unknown command $1" >&2; exit 2 ;;
esac
`;

/** Called by busybox udhcpc with what it was leased in the environment. */
export const DHCP_SCRIPT = String.raw`#!/bin/sh
case $1 in
  deconfig) ip -4 addr flush dev "$interface"; rm -f "/run/virtfn/lease.$interface" ;;
  bound|renew)
    [ -n "$mtu" ] && ip link set dev "$interface" mtu "$mtu"
    ip addr replace "$ip/$mask" dev "$interface"
    for gateway in $router; do
      ip route replace default via "$gateway" dev "$interface" && break
    done
    for server in $dns; do echo "nameserver $server"; done > /etc/resolv.conf
    echo "$ip/$mask mtu=$mtu router=$router dns=$dns server=$serverid lease=$lease" \
      > "/run/virtfn/lease.$interface" ;;
esac
`;

/** The kernel's events, from the start and on hot-plug: what has an alias gets its stock driver. */
export const UEVENT_SCRIPT = `#!/bin/sh
[ "$ACTION" = add ] && [ -n "$MODALIAS" ] && modprobe -q "$MODALIAS"
exit 0
`;

/** The first process of our own guest. */
export const INIT_SCRIPT = `#!/bin/sh
export PATH=/usr/sbin:/usr/bin HOME=/ TERM=linux
mount -t devtmpfs -o mode=0755 dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs run /run
mkdir -p /dev/pts /dev/shm /run/virtfn
mount -t devpts pts /dev/pts
mount -t tmpfs shm /dev/shm
for word in $(cat /proc/cmdline); do
  case $word in virtfn.name=*) hostname "${'$'}{word#*=}" ;; esac
done
ip link set lo up
uevent /usr/lib/virtfn/uevent > /dev/null 2>&1 &
modprobe -q -a $(cat /sys/bus/pci/devices/*/modalias /sys/bus/virtio/devices/*/modalias) 2> /dev/null
while :; do
  /usr/lib/virtfn/agent
  sleep 0.2
done
`;
