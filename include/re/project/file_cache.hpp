// What earlier runs read in a project's files, so that an unchanged file is not read again.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "re/project/file_set.hpp"

namespace re::project {

/// Hashes and imports of files, by what stat(2) says of them, in one file. What is known of a file counts
/// only while its size, times, inode and device are the same, and only when its times lie before the clock
/// tick in which the run began that read it: a file that is touched in that tick or later may change again
/// and look the same (compare git's racy index entries). A cache that is damaged is an empty one.
class FileCache {
 public:
  /// Remembers nothing and saves nothing.
  FileCache() = default;
  /// Reads the cache of the project at `root` in `directory`, which is made when it is missing. What is read
  /// from files after this may be put in. Throws Error (io, config) when the directory cannot be had.
  FileCache(const std::filesystem::path& root, const std::filesystem::path& directory);
  FileCache(const FileCache&) = delete;
  FileCache& operator=(const FileCache&) = delete;

  /// The sha256 of the file's content, 32 bytes. The views stay until the cache goes.
  [[nodiscard]] std::optional<std::string_view> find_hash(const FileEntry& file) const;
  /// The file's imports in the form of import_words().
  [[nodiscard]] std::optional<std::string_view> find_imports(const FileEntry& file) const;
  /// What was found in the file as `file` describes it, which must still have been true after it was read.
  std::string_view put_hash(const FileEntry& file, std::string hash);
  std::string_view put_imports(const FileEntry& file, std::string imports);

  /// The snapshot name that was saved, when the files are the very same as then.
  [[nodiscard]] std::optional<std::string> find_snapshot(const FileSet& files) const;
  /// Writes down what is known of these files, and what a snapshot of them is called. Not synced: what a loss
  /// of power leaves is noticed. Throws Error (io).
  void save(const FileSet& files, const std::string& snapshot) const;

 private:
  struct Stamp {
    std::uint64_t size = 0;
    std::int64_t mtime_ns = 0;
    std::int64_t ctime_ns = 0;
    std::uint64_t inode = 0;
    std::uint64_t device = 0;
    bool operator==(const Stamp&) const = default;
  };
  struct Record {
    Stamp stamp;
    std::uint32_t mode = 0;  // and the kind of file
    std::string_view path;
    std::optional<std::string_view> hash;
    std::optional<std::string_view> text;  // imports; of a symbolic link its target
  };
  struct Fresh {
    Stamp stamp;
    std::optional<std::string> hash;
    std::optional<std::string> imports;
  };

  static Stamp stamp_of(const FileEntry& file);
  static std::uint32_t mode_of(const FileEntry& file);
  static void append(std::string& text, const Record& record);
  void load();
  bool parse_records();
  std::optional<Record> parse_record(std::string_view& rest) const;
  [[nodiscard]] const Record* find(const FileEntry& file) const;
  [[nodiscard]] bool is_settled(const Stamp& stamp) const;
  [[nodiscard]] Record known(const FileEntry& file) const;
  Fresh& fresh(const FileEntry& file);

  std::filesystem::path m_path;
  std::int64_t m_began = 0;       // this run, in nanoseconds of the clock of file times
  std::int64_t m_saved_from = 0;  // the run that wrote the records
  std::string m_text;
  std::string_view m_snapshot;
  std::vector<Record> m_records;   // sorted by path
  mutable std::size_t m_next = 0;  // the record that is asked for next, as a rule
  std::unordered_map<std::string, Fresh> m_fresh;
};

}  // namespace re::project
