/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The files of the page: our own, and noVNC's. */
#ifndef VGPU_CTL_WEB_FILES_H
#define VGPU_CTL_WEB_FILES_H

struct web_files {
	const char *page;  /* the folder of ours */
	const char *novnc; /* the folder of noVNC's, which may not be there */
};

/*
 * Open what is at @path of the server. *ret_type is its media type, static.
 * Returns an fd that is the caller's, or -ENOENT, or another -errno.
 */
int web_files_open(const struct web_files *files, const char *path,
		   const char **ret_type);

#endif
