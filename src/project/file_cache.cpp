#include "re/project/file_cache.hpp"

#include <sys/stat.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>

#include "project/file_status.hpp"
#include "re/base/error.hpp"
#include "re/base/sha256.hpp"
#include "re/sys/file.hpp"

namespace re::project {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t k_largest_cache = std::size_t{256} << 20U;
constexpr std::size_t k_name_length = 40;  // of the cache's file, and of a snapshot
constexpr std::size_t k_hash_length = 32;

// The file: k_header, a checksum of all behind it, the time at which the run began that wrote it, the
// snapshot's name, and the records. A record is its stamp, its mode, k_has_* as a number, the lengths of path
// and text, then hash, path and text. Numbers are as this machine keeps them: on another one the checksum is
// wrong, as it is after any change of the form.
constexpr std::string_view k_header = "re-file-cache 1\n";
constexpr std::uint32_t k_has_hash = 1;
constexpr std::uint32_t k_has_text = 2;

struct RecordHead {
  std::uint32_t mode = 0;
  std::uint32_t has = 0;
  std::uint32_t path_length = 0;
  std::uint32_t text_length = 0;
};

template <class Value>
void append_raw(std::string& text, const Value& value) {
  std::array<char, sizeof(Value)> bytes;
  std::memcpy(bytes.data(), &value, sizeof(Value));
  text.append(bytes.data(), bytes.size());
}

std::optional<std::string_view> take(std::string_view& rest, std::size_t length) {
  if (rest.size() < length) return std::nullopt;
  const auto taken = rest.substr(0, length);
  rest.remove_prefix(length);
  return taken;
}

template <class Value>
bool take_raw(std::string_view& rest, Value& value) {
  const auto bytes = take(rest, sizeof(Value));
  if (bytes) bytes->copy(reinterpret_cast<char*>(&value), sizeof(Value));
  return bytes.has_value();
}

std::uint64_t checksum(std::string_view text) {
  return std::hash<std::string_view>()(text);
}

// The clock that the kernel stamps files with. It stands still for some milliseconds at a time.
std::int64_t file_clock_now() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
  return nanoseconds(now);
}

}  // namespace

FileCache::FileCache(const fs::path& root, const fs::path& directory) : m_began(file_clock_now()) {
  std::error_code error;
  const fs::path real = fs::canonical(root, error);
  if (error) throw errno_error("read " + root.string(), error.value());
  sys::ensure_private_directory(directory);
  m_path = directory / ("files-" + sha256_hex(real.string()).substr(0, k_name_length));
  load();
}

FileCache::Stamp FileCache::stamp_of(const FileEntry& file) {
  return {file.size, file.mtime_ns, file.ctime_ns, file.inode, file.device};
}

std::uint32_t FileCache::mode_of(const FileEntry& file) {
  return file.mode | (file.kind == FileKind::symlink ? S_IFLNK : S_IFREG);
}

void FileCache::load() {
  try {
    m_text = sys::read_file_if_exists(m_path, k_largest_cache).value_or("");
  } catch (const Error&) {  // it only saves work
    return;
  }
  if (parse_records()) return;
  m_records.clear();
  m_snapshot = {};
}

bool FileCache::parse_records() {
  std::string_view rest = m_text;
  std::uint64_t sum = 0;
  if (take(rest, k_header.size()) != k_header || !take_raw(rest, sum) || sum != checksum(rest)) return false;
  const bool has_start = take_raw(rest, m_saved_from);
  const auto name = take(rest, k_name_length);
  if (!has_start || !name || name->find_first_not_of("0123456789abcdef") != std::string_view::npos)
    return false;
  m_snapshot = *name;
  m_records.reserve(rest.size() / (sizeof(Stamp) + sizeof(RecordHead) + k_hash_length));
  while (!rest.empty()) {
    const auto record = parse_record(rest);
    if (!record || (!m_records.empty() && record->path <= m_records.back().path)) return false;
    m_records.push_back(*record);
  }
  return true;
}

std::optional<FileCache::Record> FileCache::parse_record(std::string_view& rest) const {
  Record record;
  RecordHead head;
  if (!take_raw(rest, record.stamp) || !take_raw(rest, head)) return std::nullopt;
  record.mode = head.mode;
  const auto hash = take(rest, (head.has & k_has_hash) != 0 ? k_hash_length : 0);
  const auto path = take(rest, head.path_length);
  const auto text = take(rest, head.text_length);
  if (!hash || !path || !text) return std::nullopt;
  record.path = *path;
  if ((head.has & k_has_hash) != 0) record.hash = hash;
  if ((head.has & k_has_text) != 0) record.text = text;
  return record;
}

void FileCache::append(std::string& text, const Record& record) {
  RecordHead head;
  head.mode = record.mode;
  head.has = (record.hash ? k_has_hash : 0U) | (record.text ? k_has_text : 0U);
  head.path_length = static_cast<std::uint32_t>(record.path.size());
  head.text_length = static_cast<std::uint32_t>(record.text.value_or("").size());
  append_raw(text, record.stamp);
  append_raw(text, head);
  text.append(record.hash.value_or("")).append(record.path).append(record.text.value_or(""));
}

bool FileCache::is_settled(const Stamp& stamp) const {
  return stamp.mtime_ns < m_saved_from && stamp.ctime_ns < m_saved_from;
}

// Files are mostly asked for in their order, which is that of the records.
const FileCache::Record* FileCache::find(const FileEntry& file) const {
  if (m_next >= m_records.size() || m_records[m_next].path != file.path) {
    const auto at = std::lower_bound(m_records.begin(), m_records.end(), file.path,
                                     [](const auto& record, const auto& path) { return record.path < path; });
    if (at == m_records.end() || at->path != file.path) return nullptr;
    m_next = static_cast<std::size_t>(at - m_records.begin());
  }
  const Record& record = m_records[m_next++];
  return record.stamp == stamp_of(file) && is_settled(record.stamp) ? &record : nullptr;
}

// Of both sources.
FileCache::Record FileCache::known(const FileEntry& file) const {
  Record record;
  if (const Record* found = find(file)) record = *found;
  record.path = file.path;
  record.stamp = stamp_of(file);
  record.mode = mode_of(file);
  const auto fresh = m_fresh.find(file.path);
  if (fresh != m_fresh.end() && fresh->second.stamp == record.stamp) {
    if (fresh->second.hash) record.hash = *fresh->second.hash;
    if (fresh->second.imports) record.text = *fresh->second.imports;
  }
  if (file.kind == FileKind::symlink) record.text = file.link_target;
  return record;
}

std::optional<std::string_view> FileCache::find_hash(const FileEntry& file) const {
  const Record* record = find(file);
  return record != nullptr ? record->hash : std::nullopt;
}

std::optional<std::string_view> FileCache::find_imports(const FileEntry& file) const {
  const Record* record = find(file);
  return record != nullptr ? record->text : std::nullopt;
}

FileCache::Fresh& FileCache::fresh(const FileEntry& file) {
  Fresh& fresh = m_fresh[file.path];
  if (fresh.stamp != stamp_of(file)) fresh = {stamp_of(file), {}, {}};
  return fresh;
}

std::string_view FileCache::put_hash(const FileEntry& file, std::string hash) {
  return fresh(file).hash.emplace(std::move(hash));
}

std::string_view FileCache::put_imports(const FileEntry& file, std::string imports) {
  return fresh(file).imports.emplace(std::move(imports));
}

std::optional<std::string> FileCache::find_snapshot(const FileSet& files) const {
  if (files.files.size() != m_records.size() || m_snapshot.empty()) return std::nullopt;
  const auto is_same = [this](const FileEntry& file, const Record& record) {
    return file.path == record.path && stamp_of(file) == record.stamp && is_settled(record.stamp) &&
           mode_of(file) == record.mode &&
           (file.kind != FileKind::symlink || record.text == file.link_target);
  };
  if (!std::equal(files.files.begin(), files.files.end(), m_records.begin(), is_same)) return std::nullopt;
  return std::string(m_snapshot);
}

void FileCache::save(const FileSet& files, const std::string& snapshot) const {
  if (m_path.empty()) return;
  std::string content;
  append_raw(content, m_began);
  content += snapshot;
  for (const FileEntry& file : files.files) append(content, known(file));
  std::string text(k_header);
  append_raw(text, checksum(content));
  sys::AtomicFile file(m_path);
  file.write(text);
  file.write(content);
  file.commit(sys::Sync::no);
}

}  // namespace re::project
