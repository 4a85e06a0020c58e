#include "transport/transport_memory.hpp"

#include <gtest/gtest.h>

#include "re/sys/file.hpp"

namespace re::transport {
namespace {

class SetClock final : public Clock {
 public:
  std::chrono::system_clock::time_point time{std::chrono::days(20000)};
  [[nodiscard]] std::chrono::system_clock::time_point now() const override { return time; }
};

class TransportMemoryTest : public ::testing::Test {
 protected:
  static Target target(std::string host) {
    Target target;
    target.host = std::move(host);
    target.user = "u";
    return target;
  }
  sys::TemporaryDirectory m_directory{"re-memory"};
  SetClock m_clock;
  TransportMemory m_memory{m_directory.path() / "state" / "transports", m_clock};
};

TEST_F(TransportMemoryTest, a_host_is_remembered_and_no_other) {
  m_memory.remember_openssh(target("gpu1"));
  m_memory.remember_openssh(target("gpu1"));
  m_memory.remember_openssh(target("gpu2"));
  EXPECT_TRUE(m_memory.needs_openssh(target("gpu1")));
  EXPECT_TRUE(m_memory.needs_openssh(target("gpu2")));
  EXPECT_FALSE(m_memory.needs_openssh(target("gpu")));
  auto with_port = target("gpu1");
  with_port.port = 2222;
  EXPECT_FALSE(m_memory.needs_openssh(with_port));
}

TEST_F(TransportMemoryTest, an_entry_expires_after_thirty_days_and_a_later_one_sweeps_it_out) {
  m_memory.remember_openssh(target("gpu1"));
  m_clock.time += std::chrono::days(30) - std::chrono::seconds(1);
  EXPECT_TRUE(m_memory.needs_openssh(target("gpu1")));
  m_clock.time += std::chrono::seconds(1);
  EXPECT_FALSE(m_memory.needs_openssh(target("gpu1")));
  m_memory.remember_openssh(target("gpu2"));
  EXPECT_EQ(sys::read_file(m_directory.path() / "state" / "transports"), "u@gpu2: openssh 1730592000\n");
}

TEST_F(TransportMemoryTest, an_entry_of_the_future_does_not_count) {
  m_memory.remember_openssh(target("gpu1"));
  m_clock.time -= std::chrono::days(1);
  EXPECT_FALSE(m_memory.needs_openssh(target("gpu1")));
}

TEST_F(TransportMemoryTest, garbage_in_the_file_is_passed_over) {
  sys::ensure_private_directory(m_directory.path() / "state");
  sys::write_file_atomic(
      m_directory.path() / "state" / "transports",
      "nonsense\nu@gpu1: openssh x\nu@gpu1: ssh2 1727999990\nu@gpu2: openssh 1727999990\n");
  EXPECT_FALSE(m_memory.needs_openssh(target("gpu1")));
  EXPECT_TRUE(m_memory.needs_openssh(target("gpu2")));
}

TEST_F(TransportMemoryTest, a_state_directory_that_cannot_be_used_is_no_error) {
  const TransportMemory memory("/proc/none/transports", m_clock);
  memory.remember_openssh(target("gpu1"));
  EXPECT_FALSE(memory.needs_openssh(target("gpu1")));
}

}  // namespace
}  // namespace re::transport
