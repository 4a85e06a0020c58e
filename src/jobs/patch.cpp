#include "re/jobs/patch.hpp"

#include <algorithm>
#include <set>
#include <unordered_map>

#include "jobs/calls.hpp"
#include "jobs/manifest_text.hpp"
#include "re/base/shell.hpp"
#include "re/base/strings.hpp"

namespace re::jobs {

namespace {

using Mode = SnapshotEntry::Mode;
using Entries = std::vector<SnapshotEntry>;

constexpr std::size_t k_most_changes = 64;  // of files that come or change, and of those that go or change
// Of more files the links alone may take longer than a launch may, on a slow file system.
constexpr std::size_t k_most_entries = 20'000;

bool is_same(const SnapshotEntry& a, const SnapshotEntry& b) {
  return a.sha256 == b.sha256 && a.mode == b.mode && a.link_target == b.link_target;
}

// Fills unlinked and files; false when something changed that cannot travel.
bool compare(const Entries& base, const Entries& entries, SnapshotPatch& patch) {
  auto old = base.begin();
  auto now = entries.begin();
  while (old != base.end() || now != entries.end()) {
    const bool has_old = old != base.end() && (now == entries.end() || old->path <= now->path);
    const bool has_now = now != entries.end() && (old == base.end() || now->path <= old->path);
    const bool is_unchanged = has_old && has_now && is_same(*old, *now);
    if (!is_unchanged) {
      if ((has_old && !is_listed(*old)) || (has_now && !is_listed(*now))) return false;
      if (has_old) patch.unlinked.push_back(old->path);
      if (has_now) patch.files.push_back({*now, 0, 0, {}});
    }
    if (has_old) ++old;
    if (has_now) ++now;
    if (std::max(patch.unlinked.size(), patch.files.size()) > k_most_changes) return false;
  }
  return true;
}

std::set<std::string_view> directories_of(const Entries& entries) {
  std::set<std::string_view> directories;
  for (const auto& entry : entries) {
    const std::string_view path = entry.path;
    for (auto slash = path.rfind('/'); slash != std::string_view::npos; slash = path.rfind('/', slash - 1)) {
      if (!directories.insert(path.substr(0, slash)).second) break;
    }
  }
  return directories;
}

// Sorted as they are, a parent stands before its children.
void compare_directories(const Entries& base, const Entries& entries, SnapshotPatch& patch) {
  const auto old = directories_of(base);
  const auto now = directories_of(entries);
  for (auto path = old.rbegin(); path != old.rend(); ++path) {
    if (!now.contains(*path)) patch.emptied.emplace_back(*path);
  }
  for (const auto path : now) {
    if (!old.contains(path)) patch.directories.push_back({std::string(path), 0});
  }
}

// Lines keep their order: what both have is an anchor for what is new.
std::string edits_between(std::string_view base, std::string_view manifest) {
  std::unordered_map<std::string_view, std::size_t> old;
  std::size_t number = 0;
  for (const auto line : split(base, '\n')) old.emplace(line, ++number);
  std::string added;
  std::size_t anchor = 0;
  for (const auto line : split(manifest, '\n')) {
    const auto found = old.find(line);
    if (found == old.end()) {
      added += "a " + std::to_string(anchor) + " " + std::string(line) + "\n";
    } else {
      anchor = found->second;
      found->second = 0;
    }
  }
  std::set<std::size_t> dropped;
  for (const auto& [line, at] : old) {
    if (at != 0) dropped.insert(at);
  }
  std::string edits;
  for (const auto at : dropped) edits += "d " + std::to_string(at) + "\n";
  return edits + added;
}

// Names, one a line, safe from being taken for options.
std::string name_list(const std::vector<std::string>& paths) {
  std::string text;
  for (const auto& path : paths) text += "./" + path + "\n";
  return text;
}

std::string sums_of(const SnapshotPatch& patch) {
  std::string text = patch.manifest_sha256 + "  ../manifest";
  for (const auto& file : patch.files) text += "\n" + file.entry.sha256 + "  ./" + file.entry.path;
  return text;
}

}  // namespace

std::optional<SnapshotPatch> plan_patch(std::string_view base, std::string_view manifest) {
  const auto old = parse_manifest(base);
  const auto now = parse_manifest(manifest);
  if (!old || !now || old->size() > k_most_entries) return std::nullopt;
  SnapshotPatch patch;
  if (!compare(*old, *now, patch)) return std::nullopt;
  compare_directories(*old, *now, patch);
  patch.edits = edits_between(base, manifest);
  return patch;
}

std::vector<std::string> patch_arguments(const SnapshotPatch& patch) {
  std::vector<std::string> executables;
  for (const auto& file : patch.files) {
    if (file.entry.mode == Mode::executable) executables.push_back(file.entry.path);
  }
  std::vector<std::string> arguments = {
      patch.base,     patch.project_directory,   patch.project_id,         patch.edits,
      sums_of(patch), name_list(patch.unlinked), name_list(patch.emptied), name_list(executables)};
  for (const auto& directory : patch.directories) {
    arguments.insert(arguments.end(), {chmod_mode(directory.permissions), "", directory.path, ""});
  }
  for (const auto& file : patch.files) {
    arguments.insert(arguments.end(), {chmod_mode(file.permissions), touch_time(file.mtime_ns),
                                       file.entry.path, file.content});
  }
  return arguments;
}

}  // namespace re::jobs
