#include "re/jobs/snapshot.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/awaitable.hpp>
#include <optional>
#include <string_view>
#include <unordered_set>

#include "jobs/manifest_text.hpp"
#include "jobs/script_text.hpp"
#include "jobs/scripts.hpp"
#include "re/base/strings.hpp"

// The manifest, a text of lines, sorted by path within each kind:
//   # re manifest 1
//   <sha256>  ./<path>         a regular file; with the comment above, what `sha256sum -c` reads
//   x ./<path>                 such a file is executable
//   f <sha256> <x or -> <path>   a regular file whose name holds a control character or a backslash
//   l <target>\t<path>         a symbolic link
// In f and l lines control characters, backslashes and '%' are written as %XX.

namespace re::jobs {

namespace {

using Mode = SnapshotEntry::Mode;

constexpr std::size_t k_sha256_digits = 64;
// A manifest above this size is sent only when the host lacks the snapshot; below, asking costs more.
constexpr std::size_t k_large_manifest = std::size_t{256} << 10U;

bool is_link(const SnapshotEntry& entry) {
  return !entry.link_target.empty();
}

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7f;
}

std::string encode(std::string_view text) {
  static constexpr std::string_view k_digits = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    if (!is_control(c) && c != '\\' && c != '%') {
      encoded += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    encoded += {'%', k_digits[byte >> 4U], k_digits[byte & 15U]};
  }
  return encoded;
}

bool is_inner_path(std::string_view path) {
  if (path.find('\0') != std::string_view::npos) return false;
  const auto parts = split(path, '/');
  return std::none_of(parts.begin(), parts.end(),
                      [](std::string_view part) { return part.empty() || part == "." || part == ".."; });
}

bool is_sha256(std::string_view text) {
  return text.size() == k_sha256_digits &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

Error refuse(const SnapshotEntry& entry, const std::string& why) {
  return {ErrorKind::usage, "cannot put '" + encode(entry.path) + "' into a snapshot: " + why};
}

void check(const SnapshotEntry& entry) {
  if (!is_inner_path(entry.path)) throw refuse(entry, "it is not a path inside the project");
  if (entry.link_target.find('\0') != std::string::npos) throw refuse(entry, "its target holds a NUL byte");
  if (is_link(entry) == is_sha256(entry.sha256)) throw refuse(entry, "it is neither a file nor a link");
}

// Every ancestor of an entry must be a directory: neither a file nor a link of the same snapshot.
std::vector<const SnapshotEntry*> sorted(const std::vector<SnapshotEntry>& entries) {
  std::unordered_set<std::string_view> paths;
  std::vector<const SnapshotEntry*> order;
  for (const auto& entry : entries) {
    check(entry);
    if (!paths.insert(entry.path).second) throw refuse(entry, "it is there twice");
    order.push_back(&entry);
  }
  for (const auto& entry : entries) {
    const std::string_view path = entry.path;
    for (auto slash = path.find('/'); slash != std::string_view::npos; slash = path.find('/', slash + 1)) {
      if (paths.contains(path.substr(0, slash))) throw refuse(entry, "a part of its path is not a directory");
    }
  }
  std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) { return a->path < b->path; });
  return order;
}

std::string render(const std::vector<const SnapshotEntry*>& entries) {
  std::string files = "# re manifest 1\n";
  std::string executables;
  std::string extras;
  for (const auto* entry : entries) {
    if (is_link(*entry)) {
      extras += "l " + encode(entry->link_target) + "\t" + encode(entry->path) + "\n";
    } else if (!is_listed(*entry)) {
      extras += "f " + entry->sha256 + (entry->mode == Mode::executable ? " x " : " - ") +
                encode(entry->path) + "\n";
    } else {
      files += entry->sha256 + "  ./" + entry->path + "\n";
      if (entry->mode == Mode::executable) executables += "x ./" + entry->path + "\n";
    }
  }
  return files + executables + extras;
}

// Links and odd names go as arguments of their own. `extras` gets their paths, in that order.
std::vector<std::string> extra_arguments(const std::vector<const SnapshotEntry*>& entries,
                                         std::vector<std::string>& extras) {
  std::vector<std::string> arguments;
  for (const auto* entry : entries) {
    if (is_link(*entry)) {
      arguments.insert(arguments.end(), {"link", entry->link_target, entry->path});
    } else if (!is_listed(*entry)) {
      const std::string mode = entry->mode == Mode::executable ? "x" : "-";
      arguments.insert(arguments.end(), {"file", entry->sha256, mode, entry->path});
    } else {
      continue;
    }
    extras.push_back(entry->path);
  }
  return arguments;
}

std::string first_line(std::string_view text) {
  const auto lines = split_lines(text);
  return lines.empty() ? std::string("it did not say why") : std::string(lines.front());
}

std::string without_prefix(std::string_view line) {
  static constexpr std::string_view k_prefix = "re: ";
  if (line.starts_with(k_prefix)) line.remove_prefix(k_prefix.size());
  return std::string(line);
}

Error failure(const remote::Host& host, const remote::Answer& answer) {
  return {ErrorKind::remote, host.name() + ": " + without_prefix(first_line(answer.error))};
}

Error strange_answer(const remote::Host& host, std::string_view line) {
  return {ErrorKind::protocol, host.name() + " answered '" + encode(line) + "' about a snapshot"};
}

std::string changed_path(const remote::Host& host, std::string_view line,
                         const std::vector<std::string>& extras) {
  static constexpr std::string_view k_listed = "changed ./";
  static constexpr std::string_view k_extra = "changed-extra ";
  if (line.starts_with(k_listed)) return std::string(line.substr(k_listed.size()));
  if (!line.starts_with(k_extra)) throw strange_answer(host, line);
  const auto number = parse_number<std::size_t>(line.substr(k_extra.size()));
  if (!number || *number == 0 || *number > extras.size()) throw strange_answer(host, line);
  return extras[*number - 1];
}

SnapshotReport read_report(const remote::Host& host, const remote::Answer& answer,
                           const std::vector<std::string>& extras) {
  if (answer.outcome.code != 0) throw failure(host, answer);
  auto lines = split(answer.output, '\n');  // not split_lines: a name may end in a carriage return
  while (!lines.empty() && lines.back().empty()) lines.pop_back();
  if (lines.empty()) throw strange_answer(host, "");
  const std::string_view verdict = lines.back();
  SnapshotReport report;
  if (verdict == "EXISTED") {
    report.outcome = SnapshotReport::Outcome::existed;
  } else if (verdict == "MISMATCH") {
    report.outcome = SnapshotReport::Outcome::mismatch;
    lines.pop_back();
    for (const auto line : lines) report.changed.push_back(changed_path(host, line, extras));
  } else if (verdict != "MADE") {
    throw strange_answer(host, verdict);
  }
  return report;
}

std::string snapshot_library() {
  const std::array<std::string_view, 2> files = {scripts::trees, scripts::snapshot};
  return script_text(files);
}

Async<bool> has_snapshot(remote::Host& host, const SnapshotRequest& request,
                         std::chrono::milliseconds deadline) {
  const std::string library = snapshot_library();
  remote::ScriptCall call{library, "re_have_snapshot", {}};
  call.arguments = {request.name, request.project_id};
  const remote::Answer answer = co_await host.run(std::move(call), deadline);
  if (answer.outcome.code != 0) throw failure(host, answer);
  co_return trim(answer.output) == "EXISTED";
}

}  // namespace

std::string render_manifest(const std::vector<SnapshotEntry>& entries) {
  return render(sorted(entries));
}

Async<SnapshotReport> make_snapshot(remote::Host& host, const SnapshotRequest& request,
                                    std::chrono::milliseconds deadline) {
  const auto entries = sorted(request.entries);
  std::string manifest = render(entries);
  if (manifest.size() > k_large_manifest) {
    const bool is_there = co_await has_snapshot(host, request, deadline);
    if (is_there) co_return SnapshotReport{SnapshotReport::Outcome::existed, {}};
  }
  std::vector<std::string> extras;
  const auto more = extra_arguments(entries, extras);
  const std::string library = snapshot_library();
  remote::ScriptCall call{library, "re_make_snapshot", {}};
  call.arguments = {request.name, request.project_directory, request.project_id};
  call.arguments.push_back(std::move(manifest));
  call.arguments.insert(call.arguments.end(), more.begin(), more.end());
  const remote::Answer answer = co_await host.run(std::move(call), deadline);
  co_return read_report(host, answer, extras);
}

Async<void> prepare_project(remote::Host& host, ProjectPlace place, std::chrono::milliseconds deadline) {
  const std::string library = snapshot_library();
  remote::ScriptCall call{library, "re_prepare_project", {}};
  call.arguments = {place.directory, place.project_id};
  call.arguments.insert(call.arguments.end(), place.shared.begin(), place.shared.end());
  const remote::Answer answer = co_await host.run(std::move(call), deadline);
  if (answer.outcome.code != 0) throw failure(host, answer);
  const std::string verdict(trim(answer.output));
  if (verdict == "READY") co_return;
  static constexpr std::string_view k_foreign = "FOREIGN ";
  if (!verdict.starts_with(k_foreign)) throw strange_answer(host, verdict);
  throw Error(ErrorKind::conflict,
              place.directory + " on " + host.name() + " belongs to another project (" +
                  verdict.substr(k_foreign.size()) + ")",
              "rename this project's directory, or choose another remote_home");
}

}  // namespace re::jobs
