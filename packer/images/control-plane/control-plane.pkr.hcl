# A virtual machine with the control plane: Debian 12, the daemon as a service, a raw disk packed with zstd.
# `packer/images/build control-plane` runs this; what it takes and makes is in packer/images/README.md.

variable "dist" {
  type        = string
  description = "The tar that packer/dist/build made."
}

variable "seed" {
  type        = string
  description = "A folder with `user-data` and `meta-data` that lets the key in."
}

variable "key" {
  type        = string
  description = "The private key of the build, which the image forgets."
}

variable "output" {
  type        = string
  description = "The folder that the image goes to; it must not exist."
}

variable "name" {
  type        = string
  description = "The name of the image, without its ending."
}

variable "base" {
  type        = string
  default     = "https://cloud.debian.org/images/cloud/bookworm/latest/debian-12-genericcloud-amd64.qcow2"
  description = "A Debian 12 image with cloud-init: an address or a file."
}

variable "base_checksum" {
  type        = string
  default     = "file:https://cloud.debian.org/images/cloud/bookworm/latest/SHA512SUMS"
  description = "What the base must be: `sha512:…`, or the list that says so."
}

variable "accelerator" {
  type        = string
  default     = "kvm"
  description = "`tcg` where there is no KVM."
}

source "qemu" "control-plane" {
  iso_url        = var.base
  iso_checksum   = var.base_checksum
  disk_image     = true
  disk_size      = "4G"
  disk_interface = "virtio"
  disk_discard   = "unmap"
  net_device     = "virtio-net"
  format         = "raw"
  accelerator    = var.accelerator
  memory         = 1024
  cpus           = 2
  headless       = true

  output_directory = var.output
  vm_name          = "${var.name}.raw"

  # cloud-init asks the build's own web server who may log in.
  http_directory = var.seed
  qemuargs       = [["-smbios", "type=1,serial=ds=nocloud-net;s=http://{{ .HTTPIP }}:{{ .HTTPPort }}/"]]

  ssh_username         = "packer"
  ssh_private_key_file = var.key
  ssh_timeout          = "15m"
  # The user that built it is not in it.
  shutdown_command = "sudo sh -c 'userdel --force --remove packer; rm -f /etc/sudoers.d/90-cloud-init-users; shutdown -P now'"
}

build {
  sources = ["source.qemu.control-plane"]

  provisioner "file" {
    source      = var.dist
    destination = "/tmp/metapaas.tar.gz"
  }

  provisioner "shell" {
    script          = "${path.root}/provision"
    execute_command = "sudo sh {{ .Path }}"
  }

  post-processor "shell-local" {
    inline = [
      "cd '${var.output}'",
      "zstd --quiet --rm -19 -T0 '${var.name}.raw'",
      "sha256sum '${var.name}.raw.zst' >'${var.name}.raw.zst.sha256'",
    ]
  }
}
