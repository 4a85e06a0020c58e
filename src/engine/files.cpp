#include "re/engine/files.hpp"

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <set>

#include "re/base/encoding.hpp"
#include "re/jobs/snapshot.hpp"
#include "re/sys/file.hpp"

namespace re::engine {

namespace {

// Making a snapshot copies a whole project on the host; a directory or a marker is quick.
constexpr std::chrono::minutes k_snapshot_deadline{30};
constexpr std::chrono::minutes k_prepare_deadline{1};

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

}  // namespace

LocalState ProjectFiles::read(Trust trust) {
  m_progress.step("reading the project");
  const auto cache = m_memory.cache / "manifests" / m_project.id;
  if (trust == Trust::nothing) std::filesystem::remove_all(cache);
  LocalState state;
  state.files = project::collect_files(m_project.root);
  for (const auto& warning : state.files.warnings) m_progress.note(warning);
  state.manifest = project::make_manifest(m_project.root, state.files, cache);
  state.snapshot = project::snapshot_name(state.manifest);
  project::write_file_list(m_project.root, state.files);
  return state;
}

Async<remote::TransferReport> ProjectFiles::bring(remote::Host& host, const LocalState& state,
                                                  const RemoteProject& place, BringOptions options) {
  if (options.preview == remote::Preview::no) {
    jobs::ProjectPlace marked{place.directory, m_project.id, place.shared};
    co_await jobs::prepare_project(host, std::move(marked), k_prepare_deadline);
    auto sent =
        read_list(sent_list(place));  // before the transfer: what it may leave there is never forgotten
    for (const auto& file : state.files.files) sent.insert(file.path);
    write_list(sent_list(place), sent);
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

}  // namespace re::engine
