internal import JSON
internal import RenderModel

/// The renders that were read or written last, so that they need not be read again.
///
/// They are good as long as no other connection has committed: whoever begins to read or write has to
/// say which version of the data it sees. What is rolled back has to be forgotten.
struct RenderCache {
  /// So many renders are kept, 4 MiB in all.
  private static let capacity = 4_096
  /// A render with more metadata is not kept.
  private static let longestMetadata = 512

  private var renders: [ExactText: StoredRender] = [:]
  private var dataVersion: Int64?

  subscript(id: String) -> StoredRender? {
    renders[ExactText(id)]
  }

  mutating func keep(_ stored: StoredRender) {
    let id = ExactText(stored.render.id)
    guard stored.render.metadata.text.utf8.count <= Self.longestMetadata else {
      renders[id] = nil
      return
    }
    if renders.count >= Self.capacity { renders.removeAll(keepingCapacity: true) }
    renders[id] = stored
  }

  /// From here on the data is seen in this version (sqlite.org/pragma.html#pragma_data_version).
  mutating func begin(with version: Int64) {
    if version != dataVersion { forget() }
    dataVersion = version
  }

  mutating func forget() {
    renders.removeAll(keepingCapacity: true)
  }
}
