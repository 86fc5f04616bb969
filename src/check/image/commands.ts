/**
 * What a person types to mend an image, by who packages its system. The commands are for a shell in the image: on
 * an instance that was made from it, or in a chroot(1).
 */
import { valueIn } from '../fact.ts';
import { shellWord } from '../printable.ts';
import type { Family, ImageFacts, KernelFacts } from './facts.ts';

export const familyOf = (facts: ImageFacts): Family => valueIn(facts.release)?.family ?? 'other';

const kernels: Readonly<Record<Family, string>> = {
  debian: 'sudo apt-get install linux-image-amd64   # Ubuntu: linux-aws',
  redhat: 'sudo dnf install kernel kernel-modules',
  amazon: 'sudo dnf install kernel',
  suse: 'sudo zypper install kernel-default',
  alpine: 'doas apk add linux-virt',
  arch: 'sudo pacman -S linux',
  other: '# install a kernel with CONFIG_ENA_ETHERNET=m and CONFIG_BLK_DEV_NVME=m',
};

/** A kernel that has the drivers. */
export const installKernel = (facts: ImageFacts): string => kernels[familyOf(facts)];

/** Puts a driver into the initramfs of a kernel. */
export function addToInitramfs(facts: ImageFacts, kernel: KernelFacts, driver: string): string {
  const release = shellWord(kernel.release);
  const maker = valueIn(kernel.initramfs)?.maker ?? makers[familyOf(facts)];
  switch (maker) {
    case 'initramfs-tools':
      return `echo ${driver} | sudo tee -a /etc/initramfs-tools/modules && sudo update-initramfs -u -k ${release}`;
    case 'dracut':
      return `sudo dracut --force --add-drivers ${driver} --kver ${release}`;
    case 'mkinitcpio':
      return `sudo sed -i 's/^MODULES=(/&${driver} /' /etc/mkinitcpio.conf && sudo mkinitcpio -P`;
    case 'mkinitfs':
      return `doas sed -i 's/^features="/&${driver} /' /etc/mkinitfs/mkinitfs.conf && doas mkinitfs ${release}`;
    case 'other':
      return `# add ${driver} to the initramfs of ${release} with the tool that makes it`;
  }
}

const makers = {
  debian: 'initramfs-tools',
  redhat: 'dracut',
  amazon: 'dracut',
  suse: 'dracut',
  alpine: 'mkinitfs',
  arch: 'mkinitcpio',
  other: 'other',
} as const;

/** Adds an argument to the kernel's command line. */
export function addArgument(facts: ImageFacts, argument: string): string {
  switch (familyOf(facts)) {
    case 'redhat':
    case 'amazon':
      return `sudo grubby --update-kernel=ALL --args=${argument}`;
    case 'debian':
      return `sudo sed -i 's/^GRUB_CMDLINE_LINUX="/&${argument} /' /etc/default/grub && sudo update-grub`;
    case 'suse':
    case 'arch':
      return `sudo sed -i 's/^GRUB_CMDLINE_LINUX="/&${argument} /' /etc/default/grub && sudo grub-mkconfig -o /boot/grub/grub.cfg`;
    case 'alpine':
      return `doas sed -i 's/^default_kernel_opts="/&${argument} /' /etc/update-extlinux.conf && doas update-extlinux`;
    case 'other':
      return `# add ${argument} to the kernel's command line in the boot loader's configuration`;
  }
}

/** Asks for an address on every Ethernet interface, in the system's own way. */
export function askForAddress(facts: ImageFacts): string {
  switch (familyOf(facts)) {
    case 'debian':
      return 'sudo apt-get install cloud-init   # or: iface ens5 inet dhcp in /etc/network/interfaces';
    case 'redhat':
    case 'amazon':
    case 'suse':
      return 'sudo nmcli connection add type ethernet con-name ec2 ipv4.method auto';
    case 'alpine':
      return "printf 'auto eth0\\niface eth0 inet dhcp\\n' | doas tee -a /etc/network/interfaces && doas rc-update add networking boot";
    case 'arch':
    case 'other':
      return "printf '[Match]\\nName=en* eth*\\n[Network]\\nDHCP=yes\\n' | sudo tee /etc/systemd/network/80-ec2.network && sudo systemctl enable systemd-networkd";
  }
}
