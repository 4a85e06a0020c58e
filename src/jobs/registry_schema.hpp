// The registry's file: its schema over time, and what happens to a damaged one.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "jobs/sqlite.hpp"
#include "re/base/clock.hpp"

namespace re::jobs {

struct OpenedRegistry {
  std::unique_ptr<sqlite::Connection> connection;
  std::string note;  ///< empty, or what became of a damaged file
};

/// Opens, makes, migrates, or moves aside and makes anew. See Registry::open().
OpenedRegistry open_registry_file(const std::filesystem::path& file, const Clock& clock);
/// See Registry::open_to_read(); null when there is no file.
std::unique_ptr<sqlite::Connection> open_registry_to_read(const std::filesystem::path& file);

}  // namespace re::jobs
