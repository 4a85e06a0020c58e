#include <gtest/gtest.h>

#include "jobs/sqlite.hpp"
#include "re/jobs/registry.hpp"
#include "re/sys/file.hpp"
#include "re/sys/random.hpp"

namespace {

namespace fs = std::filesystem;
using re::jobs::Registry;

constexpr const char* k_take_alone = "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE";

class RegistryReadTest : public testing::Test {
 protected:
  void add_job() {
    const re::model::JobSpec spec{.id = re::sys::make_job_id(m_clock), .name = "first"};
    Registry::open(m_file, m_clock).add_intent(spec, "here");
  }

  [[nodiscard]] std::size_t entries() const {
    const fs::directory_iterator directory(m_file.parent_path());
    return static_cast<std::size_t>(std::distance(begin(directory), end(directory)));
  }

  re::sys::SystemClock m_clock;
  re::sys::TemporaryDirectory m_directory{"re-test"};
  fs::path m_file = m_directory.path() / "registry.db";
};

TEST_F(RegistryReadTest, what_is_not_there_is_not_made) {
  EXPECT_FALSE(Registry::open_to_read(m_file));
  EXPECT_EQ(entries(), 0U);
}

TEST_F(RegistryReadTest, jobs_are_read_and_nothing_is_written) {
  add_job();
  const auto bytes = re::sys::read_file(m_file);
  const auto count = entries();
  const auto registry = Registry::open_to_read(m_file);
  ASSERT_TRUE(registry);
  ASSERT_EQ(registry->list({}).size(), 1U);
  EXPECT_EQ(registry->list({}).front().name, "first");
  EXPECT_EQ(re::sys::read_file(m_file), bytes);
  EXPECT_EQ(entries(), count);
}

TEST_F(RegistryReadTest, any_name_of_a_directory_will_do) {
  m_file = m_directory.path() / "50% of #1?mode=memory&" / "registry.db";
  add_job();
  const auto registry = Registry::open_to_read(m_file);
  ASSERT_TRUE(registry);
  EXPECT_EQ(registry->list({}).size(), 1U);
}

TEST_F(RegistryReadTest, it_cannot_be_written_to) {
  add_job();
  auto registry = Registry::open_to_read(m_file);
  ASSERT_TRUE(registry);
  EXPECT_THROW(registry->remove(registry->list({}).front().id), re::Error);
}

TEST_F(RegistryReadTest, a_writer_hinders_no_reader) {
  add_job();
  const re::jobs::sqlite::Connection writer(m_file);
  writer.execute("BEGIN IMMEDIATE");
  const auto registry = Registry::open_to_read(m_file);
  ASSERT_TRUE(registry);
  EXPECT_EQ(registry->list({}).size(), 1U);
}

TEST_F(RegistryReadTest, one_who_has_it_alone_is_not_waited_for) {
  add_job();
  const re::jobs::sqlite::Connection writer(m_file);
  writer.execute(k_take_alone);
  EXPECT_THROW(Registry::open_to_read(m_file), re::Error);
}

TEST_F(RegistryReadTest, a_damaged_file_stays_where_it_is) {
  re::sys::write_file_atomic(m_file, "SQLite format 3" + std::string(1, '\0') + std::string(5000, 'x'), 0600);
  EXPECT_THROW(Registry::open_to_read(m_file), re::Error);
  EXPECT_EQ(entries(), 1U);
}

TEST_F(RegistryReadTest, a_check_tells_a_sound_file_from_a_damaged_one) {
  EXPECT_EQ(Registry::fault_of(m_file), std::nullopt);
  add_job();
  EXPECT_EQ(Registry::fault_of(m_file), "");
  // The last page, with an index, is not read by what opens a registry.
  re::jobs::sqlite::Connection(m_file).execute("PRAGMA wal_checkpoint(TRUNCATE)");
  std::string bytes = re::sys::read_file(m_file);
  constexpr std::size_t k_page = 4096;
  ASSERT_GT(bytes.size(), 2 * k_page);
  bytes.replace(bytes.size() - k_page, 100, 100, '\xff');
  re::sys::write_file_atomic(m_file, bytes, 0600);
  EXPECT_NE(Registry::fault_of(m_file).value_or(""), "");
  EXPECT_EQ(re::sys::read_file(m_file), bytes);
}

TEST_F(RegistryReadTest, a_check_of_a_file_in_use_is_no_verdict) {
  add_job();
  const re::jobs::sqlite::Connection writer(m_file);
  writer.execute(k_take_alone);
  EXPECT_THROW(static_cast<void>(Registry::fault_of(m_file)), re::Error);
}

TEST_F(RegistryReadTest, a_file_of_a_newer_version_is_refused) {
  add_job();
  re::jobs::sqlite::Connection(m_file).execute("PRAGMA user_version = 99");
  EXPECT_THROW(Registry::open_to_read(m_file), re::Error);
}

}  // namespace
