/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the pure parts need of the kernel, and the same for userspace. */
#ifndef VGPU_KERNEL_CORE_PURE_PORT_H
#define VGPU_KERNEL_CORE_PURE_PORT_H

/*
 * The pure parts of the core driver are compiled twice: into the module, and
 * into userspace tests and fuzzers. They call nothing of the kernel, allocate
 * nothing (callers give the memory) and take no lock (callers hold one).
 *
 * They assume a 64-bit little-endian machine where structures of the firmware
 * are laid over memory, as the only machines with such a GPU are.
 */
#ifdef __KERNEL__

#include <linux/build_bug.h>
#include <linux/compiler.h>
#include <linux/crc32.h>
#include <linux/errno.h>
#include <linux/export.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/overflow.h>
#include <linux/stddef.h>
#include <linux/string.h>
#include <linux/types.h>
#include <asm/barrier.h>

/* What vgpu_mgr exports to the drivers of PFs. */
#define VGPU_EXPORT(name) EXPORT_SYMBOL_GPL(name)

/* Order reads and writes of memory that a device shares with the CPU. */
#define vgpu_dma_rmb() dma_rmb()
#define vgpu_dma_wmb() dma_wmb()
#define vgpu_dma_mb()  mb()

/* CRC-32 as zlib and Ethernet have it. */
static inline u32 vgpu_crc32(const u8 *bytes, size_t count)
{
	return ~crc32_le(~0U, bytes, count);
}

#else

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <zlib.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#define U32_MAX UINT32_MAX
#define U64_MAX UINT64_MAX

#define READ_ONCE(x)	 (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))

#define check_add_overflow(a, b, d) __builtin_add_overflow(a, b, d)
#define check_mul_overflow(a, b, d) __builtin_mul_overflow(a, b, d)

#define VGPU_EXPORT(name) struct name##_exported

#define vgpu_dma_rmb() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define vgpu_dma_wmb() __atomic_thread_fence(__ATOMIC_RELEASE)
#define vgpu_dma_mb()  __atomic_thread_fence(__ATOMIC_SEQ_CST)

static inline u32 vgpu_crc32(const u8 *bytes, size_t count)
{
	return (u32)crc32_z(0, bytes, count);
}

#endif

#define VGPU_COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static inline bool vgpu_is_power_of_2(u64 n)
{
	return n != 0 && (n & (n - 1)) == 0;
}

/* @alignment is a power of two. */
static inline bool vgpu_is_aligned(u64 n, u64 alignment)
{
	return (n & (alignment - 1)) == 0;
}

static inline u64 vgpu_align_down(u64 n, u64 alignment)
{
	return n & ~(alignment - 1);
}

/* False where the result does not fit. */
static inline bool vgpu_align_up(u64 n, u64 alignment, u64 *ret_aligned)
{
	u64 sum;

	if (check_add_overflow(n, alignment - 1, &sum))
		return false;
	*ret_aligned = vgpu_align_down(sum, alignment);
	return true;
}

/* Is [@offset, @offset + @size) inside [0, @total)? */
static inline bool vgpu_is_inside(u64 offset, u64 size, u64 total)
{
	return offset <= total && size <= total - offset;
}

static inline u16 vgpu_get_le16(const u8 *p)
{
	return (u16)(p[0] | p[1] << 8);
}

static inline u32 vgpu_get_le32(const u8 *p)
{
	return vgpu_get_le16(p) | (u32)vgpu_get_le16(p + 2) << 16;
}

static inline u64 vgpu_get_le64(const u8 *p)
{
	return vgpu_get_le32(p) | (u64)vgpu_get_le32(p + 4) << 32;
}

static inline void vgpu_put_le32(u8 *p, u32 value)
{
	p[0] = (u8)value;
	p[1] = (u8)(value >> 8);
	p[2] = (u8)(value >> 16);
	p[3] = (u8)(value >> 24);
}

#endif
