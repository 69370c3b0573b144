/// Tells whether a path is on a filesystem whose locks another machine may not see.
enum NetworkFilesystem {
  private static let names: Set<String> = [
    "nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre",
    "fuse.sshfs", "fuse.s3fs", "fuse.rclone", "fuse.glusterfs", "fuse.gcsfuse", "virtiofs",
  ]

  /// The filesystem's name if it is such a one, else nil.
  static func name(of path: String) -> String? {
    ProcFile.text("/proc/self/mounts").flatMap { name(of: path, mounts: $0) }
  }

  /// The same, from the text of `/proc/self/mounts` (fstab(5)): device, folder, type, ….
  static func name(of path: String, mounts: String) -> String? {
    var longest = (length: -1, type: "")
    for line in mounts.split(separator: "\n") {
      let fields = line.split(separator: " ")
      guard fields.count > 2 else { continue }
      let folder = fields[1].replacing("\\040", with: " ")
      let isAbove = folder == "/" || path == folder || path.hasPrefix(folder + "/")
      if isAbove, folder.utf8.count >= longest.length {
        longest = (folder.utf8.count, String(fields[2]))
      }
    }
    return names.contains(longest.type) ? longest.type : nil
  }
}
