#include "re/engine/files.hpp"

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <set>
#include <tuple>

#include "re/base/encoding.hpp"
#include "re/base/sha256.hpp"
#include "re/jobs/snapshot.hpp"
#include "re/sys/file.hpp"

namespace re::engine {

namespace {

// Making a snapshot copies a whole project on the host; a directory or a marker is quick.
constexpr std::chrono::minutes k_snapshot_deadline{30};
constexpr std::chrono::minutes k_prepare_deadline{1};
// Of names and contents that travel with a launch. More is better sent by rsync, which sends differences.
constexpr std::size_t k_largest_patch = std::size_t{128} << 10U;

std::vector<std::string> paths_of(const LocalState& state) {
  std::vector<std::string> paths;
  paths.reserve(state.files.files.size());
  for (const auto& file : state.files.files) paths.push_back(file.path);
  return paths;
}

std::vector<jobs::SnapshotEntry> entries_of(const LocalState& state) {
  std::vector<jobs::SnapshotEntry> entries;
  for (const auto& file : state.manifest.entries) {
    jobs::SnapshotEntry entry;
    entry.path = file.path;
    entry.sha256 = file.sha256;
    entry.link_target = file.link_target;
    const bool is_executable = (file.mode & 0100U) != 0 && file.kind == project::FileKind::regular;
    if (is_executable) entry.mode = jobs::SnapshotEntry::Mode::executable;
    entries.push_back(std::move(entry));
  }
  return entries;
}

std::set<std::string> read_list(const std::filesystem::path& file) {
  const std::string text = sys::read_file_if_exists(file).value_or("");
  std::set<std::string> paths;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\0', at);
    if (end == std::string::npos) break;
    paths.insert(text.substr(at, end - at));
    at = end + 1;
  }
  return paths;
}

// Paths, each ended by a NUL byte.
void write_list(const std::filesystem::path& file, const std::set<std::string>& paths) {
  std::string text;
  for (const auto& path : paths) text.append(path).push_back('\0');
  std::filesystem::create_directories(file.parent_path());
  sys::write_file_atomic(file, text);
}

void add_to_list(const std::filesystem::path& file, const std::vector<std::string>& paths) {
  auto listed = read_list(file);
  const std::size_t before = listed.size();
  listed.insert(paths.begin(), paths.end());
  if (listed.size() != before) write_list(file, listed);
}

// What a place had last, in a file: the name of the snapshot, a newline, its manifest.
struct LastSnapshot {
  std::string name;
  std::string manifest;
};

LastSnapshot read_last_snapshot(const std::filesystem::path& file) {
  std::string text = sys::read_file_if_exists(file).value_or("");
  const std::size_t end = text.find('\n');
  if (end == std::string::npos) return {};
  return {text.substr(0, end), text.substr(end + 1)};
}

// The name alone, without the manifest.
std::string read_last_name(const std::filesystem::path& file) {
  constexpr std::size_t k_longest_name = 128;
  const std::string text = sys::read_beginning(file, k_longest_name);
  return text.substr(0, text.find('\n'));
}

// A patch begins where the project's directory is: with another state in it there is none.
void forget_other(const std::filesystem::path& file, const std::string& name) {
  std::error_code ignored;
  if (read_last_name(file) != name) std::filesystem::remove(file, ignored);
}

const project::FileEntry* find_file(const LocalState& state, const std::string& path) {
  const auto& files = state.files.files;
  const auto found =
      std::lower_bound(files.begin(), files.end(), path,
                       [](const auto& file, const auto& wanted) { return file.path < wanted; });
  return found != files.end() && found->path == path ? &*found : nullptr;
}

// Gives the file the content that the manifest names, at most `limit` bytes; false when it is no such text,
// or another by now.
bool fill(jobs::PatchedFile& patched, const project::FileEntry& file, const std::filesystem::path& root,
          std::size_t limit) {
  if (file.size > limit || file.mtime_ns < 0) return false;
  patched.content = sys::read_file(root / file.path, limit);
  patched.permissions = file.mode;
  patched.mtime_ns = file.mtime_ns;
  return patched.content.find('\0') == std::string::npos &&
         sha256_hex(patched.content) == patched.entry.sha256;
}

// All that the plan leaves open; false when it cannot travel.
bool fill(jobs::SnapshotPatch& patch, const LocalState& state, const std::filesystem::path& root) {
  std::size_t left = k_largest_patch;
  const auto take = [&left](std::size_t size) {
    const bool has_room = size <= left;
    left -= std::min(left, size);
    return has_room;
  };
  for (auto& file : patch.files) {
    const auto* const local = find_file(state, file.entry.path);
    if (local == nullptr || !fill(file, *local, root, left)) return false;
    if (!take(file.content.size() + file.entry.path.size())) return false;
  }
  for (const auto& path : patch.unlinked) {
    if (!take(path.size())) return false;
  }
  for (auto& directory : patch.directories) {
    const auto status = std::filesystem::status(root / directory.path);
    directory.permissions = static_cast<unsigned>(status.permissions()) & 07777U;
    if (!std::filesystem::is_directory(status)) return false;
  }
  // Files of one mode get it in one call.
  std::sort(patch.files.begin(), patch.files.end(), [](const auto& a, const auto& b) {
    return std::tie(a.permissions, a.entry.path) < std::tie(b.permissions, b.entry.path);
  });
  return true;
}

}  // namespace

LocalState ProjectFiles::read(Trust trust) {
  m_progress.step("reading the project");
  const auto cache = m_memory.cache / "manifests" / m_project.id;
  if (trust == Trust::nothing) std::filesystem::remove_all(cache);
  LocalState state;
  project::FileCache known(m_project.root, cache);
  state.files = project::collect_files(m_project.root, known);
  for (const auto& warning : state.files.warnings) m_progress.note(warning);
  state.manifest = project::make_manifest(m_project.root, state.files, known);
  state.snapshot = state.manifest.snapshot;
  project::write_file_list(m_project.root, state.files);
  return state;
}

Async<remote::TransferReport> ProjectFiles::bring(remote::Host& host, const LocalState& state,
                                                  const RemoteProject& place, BringOptions options) {
  if (options.preview == remote::Preview::no) {
    jobs::ProjectPlace marked{place.directory, m_project.id, place.shared};
    co_await jobs::prepare_project(host, std::move(marked), k_prepare_deadline);
    // Before the transfer: what it may leave there is never forgotten.
    add_to_list(sent_list(place), paths_of(state));
    forget_other(last_snapshot(place), state.snapshot);
  }
  m_progress.step("syncing " + m_project.name + " to " + host.name());
  remote::SyncRequest request;
  request.root = m_project.root;
  request.paths = paths_of(state);
  request.remote_directory = place.directory;
  request.compare = options.compare;
  remote::TransferOptions transfer;
  transfer.preview = options.preview;
  co_return co_await remote::sync_files(host, std::move(request), std::move(transfer), m_progress);
}

Async<void> ProjectFiles::bring_snapshot(remote::Host& host, LocalState& state, const RemoteProject& place) {
  constexpr int k_attempts = 5;
  std::string changed;
  for (int attempt = 0; attempt < k_attempts; ++attempt) {
    // What is there may have our sizes and times, and yet be other files.
    BringOptions options;
    if (attempt > 0) options.compare = remote::Compare::content;
    co_await bring(host, state, place, options);
    m_progress.step("making a snapshot on " + host.name());
    jobs::SnapshotRequest request;
    request.name = state.snapshot;
    request.project_id = m_project.id;
    request.project_directory = place.directory;
    request.entries = entries_of(state);
    const auto report = co_await jobs::make_snapshot(host, request, k_snapshot_deadline);
    if (report.outcome != jobs::SnapshotReport::Outcome::mismatch) co_return;
    if (!report.changed.empty()) changed = ": " + report.changed.front();
    state = read(Trust::nothing);
  }
  throw Error(ErrorKind::conflict, "the project's files change while they are copied" + changed,
              "try again when nothing writes to them");
}

std::optional<jobs::SnapshotPatch> ProjectFiles::make_patch(const LocalState& state,
                                                            const RemoteProject& place) const {
  if (read_last_name(last_snapshot(place)) == state.snapshot) return std::nullopt;
  const LastSnapshot last = read_last_snapshot(last_snapshot(place));
  if (last.name.empty()) return std::nullopt;
  const std::string manifest = jobs::render_manifest(entries_of(state));
  auto patch = jobs::plan_patch(last.manifest, manifest);
  if (!patch) return std::nullopt;
  patch->base = last.name;
  patch->project_id = m_project.id;
  patch->project_directory = place.directory;
  patch->manifest_sha256 = sha256_hex(manifest);
  try {
    if (!fill(*patch, state, m_project.root)) return std::nullopt;
  } catch (const Error&) {  // a file that has gone meanwhile: who reads the project again will say it
    return std::nullopt;
  }
  std::vector<std::string> paths;
  for (const auto& file : patch->files) paths.push_back(file.entry.path);
  add_to_list(sent_list(place), paths);
  return patch;
}

// Only speed is lost when this cannot be written.
void ProjectFiles::remember(const LocalState& state, const RemoteProject& place) const {
  const auto file = last_snapshot(place);
  try {
    if (read_last_name(file) == state.snapshot) return;
    std::filesystem::create_directories(file.parent_path());
    sys::AtomicFile written(file);
    written.write(state.snapshot + "\n" + jobs::render_manifest(entries_of(state)));
    written.commit(sys::Sync::no);
  } catch (const Error&) {
  } catch (const std::filesystem::filesystem_error&) {
  }
}

std::vector<std::string> ProjectFiles::gone(const LocalState& state, const RemoteProject& place) const {
  const auto sent = read_list(sent_list(place));
  const auto now = paths_of(state);
  const std::set<std::string> present(now.begin(), now.end());
  std::vector<std::string> gone;
  std::set_difference(sent.begin(), sent.end(), present.begin(), present.end(), std::back_inserter(gone));
  return gone;
}

Async<void> ProjectFiles::remove(remote::Host& host, std::vector<std::string> paths,
                                 const RemoteProject& place) {
  remote::SyncRequest request;
  request.root = m_project.root;
  request.paths = paths;
  request.remote_directory = place.directory;
  request.absent = remote::Absent::remove;
  remote::TransferOptions options;
  co_await remote::sync_files(host, std::move(request), std::move(options), m_progress);
  auto sent = read_list(sent_list(place));
  for (const auto& path : paths) sent.erase(path);
  write_list(sent_list(place), sent);
}

std::filesystem::path ProjectFiles::sent_list(const RemoteProject& place) const {
  return m_memory.state / "sent" / m_project.id / to_hex(place.place);
}

std::filesystem::path ProjectFiles::last_snapshot(const RemoteProject& place) const {
  return m_memory.state / "snapshots" / m_project.id / to_hex(place.place);
}

}  // namespace re::engine
